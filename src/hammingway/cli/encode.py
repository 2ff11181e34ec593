"""``hammingway encode``: vectors to codes."""

from __future__ import annotations

from pathlib import Path

import click

from hammingway.cli import options
from hammingway.cli.options import InputFile, OutputFile
from hammingway.cli.printing import counted, report
from hammingway.cli.progress_bar import progress_bar

__all__ = ["command"]


@click.command()
@click.argument("model", type=InputFile())
@click.argument("data", type=InputFile(folder=True))
@click.option("--out", type=OutputFile(), required=True, help="Where to write the codes.")
@options.key_option
@options.force_option
@options.json_option
def command(model: Path, data: Path, out: Path, key: str | None, as_json: bool) -> None:
    """Encode the vectors in DATA with the hasher in MODEL.

    The codes remember which hasher made them, so that 'hammingway search' can refuse others. Row i
    of DATA gets id i; of a folder of class folders they are counted in the order of classes, then names.
    """
    from hammingway.cli.reading import open_vectors
    from hammingway.code_files import write_codes
    from hammingway.hashers import load_hasher

    hasher, X = load_hasher(model), open_vectors(data, key=key)
    with progress_bar("encoding") as progress:
        codes = hasher.encode(X, progress=progress)
    encoder = hasher.fingerprint()
    write_codes(out, codes, encoder=encoder)
    sentence = f"{out}: {counted(len(codes), 'code')} of {counted(codes.n_bits, 'bit')}."
    facts = {"n": len(codes), "n_bits": codes.n_bits, "size_bytes": codes.size_bytes}
    report(sentence, as_json=as_json, **facts, encoder=encoder, out=str(out))
