"""``hammingway collection verify``: read every byte and say what is damaged."""

from __future__ import annotations

from pathlib import Path

import click

from hammingway.cli import collection_inputs as inputs
from hammingway.cli import options
from hammingway.cli.printing import counted, report
from hammingway.cli.progress_bar import progress_bar
from hammingway.errors import FileFormatError

__all__ = ["command"]


@click.command()
@click.argument("path", type=inputs.COLLECTION)
@options.json_option
def command(path: Path, as_json: bool) -> None:
    """Read every byte of the collection at PATH and hold it against its checksums.

    Damage is printed, a sentence each, and is a failure: exit code 2.
    """
    with inputs.opened(path, read_only=True) as collection, progress_bar("verifying"):
        damages = collection.verify()
    sentence = "\n".join(damages) or f"{path}: sound."
    report(sentence, as_json=as_json, path=str(path), damages=damages)
    if damages:
        raise FileFormatError(f"{path} has {counted(len(damages), 'damaged place')}; restore a copy.")
