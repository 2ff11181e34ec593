"""``hammingway collection``: the group of commands on one directory of codes, ids, metadata and originals."""

from __future__ import annotations

import click

from hammingway.cli.main import LazyGroup

__all__ = ["command"]

_COMMANDS = {
    name: f"hammingway.cli.collection_{name}"
    for name in ("create", "add", "search", "get", "delete", "info", "compact", "verify")
}


@click.group("collection", cls=LazyGroup, homes=_COMMANDS)
def command() -> None:
    """Keep codes in a collection: one directory that is changed in place and survives a crash.

    It holds the encoder, codes, ids, metadata and, if wanted, the original vectors. One process at a time
    may change it; any number may search.
    """
