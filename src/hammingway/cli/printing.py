"""What a command says when it has done its work."""

from __future__ import annotations

import json

import click

__all__ = ["report"]


def report(sentence: str, *, as_json: bool, **facts: object) -> None:
    """Print ``sentence`` for people, or ``facts`` as one JSON object for programs."""
    click.echo(json.dumps(facts) if as_json else sentence)
