"""``hammingway list``: the names that other commands accept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import click

from hammingway.cli.options import json_option

__all__ = ["command"]

KINDS = ("hashers", "indexes", "datasets", "metrics", "formats")


@click.command()
@click.argument("kind", type=click.Choice(KINDS), required=False, metavar="[KIND]")
@json_option
def command(kind: str | None, as_json: bool) -> None:
    """List the hashers, indexes, data sets, metrics and file formats, with a line on each.

    Give a KIND to list only these.
    """
    table = {name: _summaries(name) for name in ([kind] if kind else KINDS)}
    if as_json:
        click.echo(json.dumps(table, indent=2))
    else:
        click.echo("\n\n".join("\n".join(_section(name, entries.items())) for name, entries in table.items()))


def _summaries(kind: str) -> dict[str, str]:
    if kind == "formats":
        from hammingway.datasets import formats

        return formats.summaries()
    from hammingway.cli.summaries import summaries

    return summaries(kind)


def _section(title: str, entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    entries = list(entries)
    width = max((len(name) for name, _ in entries), default=0)
    yield f"{title}:"
    yield from (f"  {name:<{width}}  {line}".rstrip() for name, line in entries)
