"""``hammingway collection compact``: give back what deleted and replaced items took."""

from __future__ import annotations

from pathlib import Path

import click

from hammingway.cli import collection_inputs as inputs
from hammingway.cli import options
from hammingway.cli.printing import report
from hammingway.cli.progress_bar import progress_bar

__all__ = ["command"]


@click.command()
@click.argument("path", type=inputs.COLLECTION)
@options.json_option
def command(path: Path, as_json: bool) -> None:
    """Rewrite the collection at PATH without the room of deleted and replaced items.

    Interrupted, it stays as it was.
    """
    with inputs.opened(path, read_only=False) as collection:
        before = collection.stats().disk_bytes
        with progress_bar("compacting"):
            collection.compact()
        after = collection.stats().disk_bytes
    report(f"{path}: {before} bytes before, {after} now.", as_json=as_json, path=str(path), before=before, after=after)
