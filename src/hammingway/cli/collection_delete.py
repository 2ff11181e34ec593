"""``hammingway collection delete``: items by id."""

from __future__ import annotations

from pathlib import Path

import click

from hammingway.cli import collection_inputs as inputs
from hammingway.cli import options
from hammingway.cli.printing import counted, report

__all__ = ["command"]


@click.command()
@click.argument("path", type=inputs.COLLECTION)
@click.argument("ids", nargs=-1)
@inputs.ids_file_option("More ids to delete")
@options.json_option
def command(path: Path, ids: tuple[str, ...], ids_file: Path | None, as_json: bool) -> None:
    """Remove the items of IDS from the collection at PATH, all of them or, if one is not there, none."""
    with inputs.opened(path, read_only=False) as collection:
        n_deleted = collection.delete(inputs.chosen_ids(ids, ids_file, collection.id_type))
        n_items = len(collection)
    sentence = f"{path}: deleted {counted(n_deleted, 'item')}; it holds {n_items}."
    report(sentence, as_json=as_json, path=str(path), n_deleted=n_deleted, n_items=n_items)
