"""``hammingway convert``: vectors from one file format to another."""

from __future__ import annotations

from pathlib import Path

import click

from hammingway.cli import options
from hammingway.cli.options import InputFile, OutputFile
from hammingway.cli.printing import report
from hammingway.cli.progress_bar import progress_bar

__all__ = ["command"]


@click.command()
@click.argument("source", type=InputFile(folder=True))
@click.argument("target", type=OutputFile())
@options.key_option
@click.option("--target-key", metavar="NAME", help="As --key, for TARGET.")
@options.force_option
@options.json_option
def command(source: Path, target: Path, key: str | None, target_key: str | None, as_json: bool) -> None:
    """Convert vectors from one file format to another.

    TARGET's ending tells its format. Rows are copied in pieces, so neither file need fit in memory.
    Values stay exactly as they are, but for float64 to a shorter float, which rounds; where the format
    cannot hold them, nothing is written. 'hammingway list formats' names the formats.
    """
    from hammingway.datasets import formats

    with progress_bar("converting") as progress:
        n, d = formats.convert(source, target, key=key, target_key=target_key, progress=progress)
    sentence = f"{target}: {n} x {d}, {formats.detect(target)}."
    facts = {"source_format": formats.detect(source), "format": formats.detect(target)}
    report(sentence, as_json=as_json, n=n, d=d, **facts, out=str(target))
