"""Several processes of one command, as torchrun starts them: one of them speaks."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from hammingway.errors import MissingExtraError
from hammingway.processes import n_processes, process_number

__all__ = ["one_voice", "refuse_several"]

_SECONDS_TO_SPEAK = 2.0


@contextmanager
def one_voice() -> Iterator[None]:
    """Silence all processes but the first; of those that fail, all but the one that failed first.

    When one fails, the others fail as they lose it: what they would say of that hides the reason.
    """
    if n_processes() == 1:
        yield
        return
    voice = sys.stdout, sys.stderr
    if process_number() > 0:
        _fall_silent()
    try:
        yield
    except click.exceptions.Exit:  # as after --help
        raise
    except (Exception, KeyboardInterrupt):
        if not _fails_first():
            _fall_silent()
            time.sleep(_SECONDS_TO_SPEAK)  # as soon as one ends, torchrun ends the others, and one has yet to speak
            voice = sys.stdout, sys.stderr
        raise
    finally:
        sys.stdout, sys.stderr = voice


def refuse_several(command: str | None) -> None:
    """Raise click.UsageError if several processes run a command other than those that train."""
    if n_processes() > 1 and command not in ("fit", "train"):
        raise click.UsageError(f"{command} runs in one process, not in {n_processes()}; leave torchrun out.")


def _fails_first() -> bool:
    try:
        from hammingway.deep.distributed import fails_first
    except MissingExtraError:
        return process_number() == 0
    return fails_first()


def _fall_silent() -> None:
    sys.stdout = sys.stderr = io.TextIOWrapper(io.BufferedWriter(_Nowhere()), encoding="utf-8")


class _Nowhere(io.RawIOBase):
    """A file that keeps nothing, and so needs no closing."""

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Return the size of the data."""
        return len(data)
