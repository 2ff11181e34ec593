"""``hammingway collection info``: the figures of a collection."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from hammingway.cli import collection_inputs as inputs
from hammingway.cli import options

__all__ = ["command"]


@click.command()
@click.argument("path", type=inputs.COLLECTION)
@options.json_option
def command(path: Path, as_json: bool) -> None:
    """Show what the collection at PATH holds and takes."""
    with inputs.opened(path, read_only=True) as collection:
        facts = {"path": str(path), "id_type": collection.id_type, **asdict(collection.stats())}
    if as_json:
        click.echo(json.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {'none' if value is None else value}")
