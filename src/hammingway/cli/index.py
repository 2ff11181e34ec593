"""``hammingway index``: codes, or vectors and their hasher, to a saved index of any kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hammingway.cli import options
from hammingway.cli.options import InputFile, KeyValue, OutputFile
from hammingway.cli.printing import counted, report
from hammingway.cli.progress_bar import progress_bar

__all__ = ["command"]

KIND = "Which index; 'hammingway list indexes' says what each is. 'flat' and 'multi' are exact."
SET = "An option of the index, as in n_probe=16; may be given several times."


@click.command()
@click.argument("data", metavar="CODES", type=InputFile())
@click.option("--kind", type=click.Choice(["flat", "ivf", "multi", "table"]), default="flat", help=KIND)
@click.option("--set", "settings", type=KeyValue(), multiple=True, help=SET)
@click.option(
    "--ids", type=InputFile(), help="One id a code, a .npy file of integers; else those in CODES, or 0, 1, ..."
)
@click.option("--model", type=InputFile(), help="The hasher that encodes CODES, where they are vectors.")
@options.key_option
@click.option("--out", type=OutputFile(), required=True, help="Where to write the index.")
@options.force_option
@options.json_option
def command(
    data: Path,
    kind: str,
    settings: tuple[tuple[str, Any], ...],
    ids: Path | None,
    model: Path | None,
    key: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """Build an index of the codes in CODES and save it for 'hammingway search'.

    CODES is a file of codes, or of vectors if --model is given. The index remembers which hasher made the
    codes, so that 'hammingway search' can refuse others, and keeps the bias of a hasher with a norm correction.
    The key of a table is the first log2(n) bits of n codes; '--set bits=20' takes another number of them.
    """
    from hammingway.cli.index_choice import bias_of, make_index, open_codes

    stored = open_codes(data, model=model, key=key, ids=ids)
    index = make_index(kind, stored.codes.n_bits, settings, n_codes=len(stored.codes))
    with progress_bar(f"building {kind}"):
        index.add(stored, bias=None if model is None else bias_of(data, model=model, key=key))
    index.save(out)
    sentence = f"{out}: {kind} index of {counted(len(index), 'code')} of {counted(index.n_bits, 'bit')}."
    report(sentence, as_json=as_json, kind=kind, n=len(index), n_bits=index.n_bits, encoder=index.encoder, out=str(out))
