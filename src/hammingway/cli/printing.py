"""What a command says when it has done its work."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

__all__ = ["counted", "notes_of", "report"]


def report(sentence: str, *, as_json: bool, **facts: object) -> None:
    """Print ``sentence`` for people, or ``facts`` as one JSON object for programs."""
    click.echo(json.dumps(facts) if as_json else sentence)


@contextmanager
def notes_of(kind: type[Warning]) -> Iterator[None]:
    """Print warnings of ``kind`` as notes on stderr, each once."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", kind)
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **options: Any) -> None:
            if issubclass(category, kind):
                click.echo(f"Note: {message}", err=True)
            else:
                shown(message, category, *where, **options)

        warnings.showwarning = show
        yield


def counted(n: int, noun: str) -> str:
    """Return how many of something there are; nouns that take more than an s must end in y.

    Examples
    --------
    >>> counted(1, "query"), counted(0, "query"), counted(2, "item")
    ('1 query', '0 queries', '2 items')
    """
    if n == 1:
        return f"1 {noun}"
    return f"{n} {noun[:-1]}ies" if noun.endswith("y") else f"{n} {noun}s"
