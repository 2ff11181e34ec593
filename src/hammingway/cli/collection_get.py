"""``hammingway collection get``: codes, metadata and originals by id."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hammingway.cli import collection_inputs as inputs

__all__ = ["command"]


@click.command()
@click.argument("path", type=inputs.COLLECTION)
@click.argument("ids", nargs=-1)
@inputs.ids_file_option("More ids to print")
@click.option("--vectors", is_flag=True, help="Print the original vectors too, where they are kept.")
def command(path: Path, ids: tuple[str, ...], ids_file: Path | None, vectors: bool) -> None:
    """Print the items of IDS, a JSON object a line, in that order.

    A line is {"id": ..., "code": "hexadecimal, byte after byte", "metadata": {...}}.
    """
    with inputs.opened(path, read_only=True) as collection:
        items = collection.get(inputs.chosen_ids(ids, ids_file, collection.id_type))
    for i, item_id in enumerate(items.ids.tolist()):
        fields = {"id": item_id, "code": items.codes.packed[i].tobytes().hex(), "metadata": items.metadata[i]}
        if vectors and items.vectors is not None:
            fields["vector"] = items.vectors[i].tolist()
        click.echo(json.dumps(fields))
