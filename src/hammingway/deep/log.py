"""The log of a run: one JSON object a line, an epoch each; and TensorBoard for who wants it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hammingway.errors import MissingExtraError
from hammingway.storage import atomic_writer

__all__ = ["LOG_NAME", "Log"]

LOG_NAME = "log.jsonl"

Entry = dict[str, Any]


class Log:
    """Keeps the entries of a run, and writes each to ``log.jsonl`` as soon as it is made.

    Parameters
    ----------
    folder : where the file is; None to keep entries in memory only.
    report : told of each new entry.
    tensorboard : write event files to ``folder`` too.

    Raises
    ------
    MissingExtraError : TensorBoard is wanted and not installed.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        report: Callable[[Mapping[str, Any]], None] | None = None,
        tensorboard: bool = False,
    ) -> None:
        self.entries: list[Entry] = []
        self._path = None if folder is None else folder / LOG_NAME
        self._report = report
        self._events = _event_writer(folder) if tensorboard and folder is not None else None

    def start_at(self, step: int) -> None:
        """Take up the entries of an interrupted run up to ``step``; later ones are dropped, as they come again."""
        if self._path is None:
            return
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []
        self.entries = [entry for entry in map(_parsed, lines) if entry is not None and entry["step"] <= step]
        with atomic_writer(self._path) as file:
            file.writelines(_line(entry) for entry in self.entries)

    def write(self, entry: Entry) -> None:
        """Add an entry; it has at least 'step' and 'epoch'."""
        self.entries.append(entry)
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(_line(entry))
        if self._events is not None:
            for name, value in _scalars(entry):
                self._events.add_scalar(name, value, entry["step"])
            self._events.flush()
        if self._report is not None:
            self._report(entry)


def _line(entry: Entry) -> bytes:
    return (json.dumps(entry) + "\n").encode()


def _parsed(line: str) -> Entry | None:
    """Return the entry, or None for the half line that an interruption may have left."""
    try:
        entry: Entry = json.loads(line)
    except ValueError:
        return None
    return entry


def _scalars(entry: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in entry.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield prefix + name, float(value)


def _event_writer(folder: str | os.PathLike[str]) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("TensorBoard logging", "tensorboard") from error
    return SummaryWriter(os.fspath(folder))
