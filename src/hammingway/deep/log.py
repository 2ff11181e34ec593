"""The log of a run: one JSON object a line, an epoch each; and TensorBoard for who wants it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hammingway.errors import FileFormatError, MissingExtraError
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
        """Take up the entries of an interrupted run up to ``step``; later ones are dropped, as they come again.

        Raises
        ------
        FileFormatError : a line of the file is no entry; the half line of an interruption, at its end, is dropped.
        """
        if self._path is None:
            return
        lines = self._path.read_bytes().split(b"\n")[:-1] if self._path.is_file() else []
        entries = [_parsed(line, number, self._path) for number, line in enumerate(lines, start=1)]
        self.entries = [entry for entry in entries if entry["step"] <= step]
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


def _parsed(line: bytes, number: int, path: Path) -> Entry:
    refusal = f"{path}, line {number} is damaged; remove that line, or the whole file, and give the command again."
    try:
        entry: Entry = json.loads(line)
    except (ValueError, RecursionError) as error:  # no JSON, no text, or nested without end
        raise FileFormatError(refusal) from error
    if not isinstance(entry, dict) or not isinstance(entry.get("step"), int):
        raise FileFormatError(refusal)
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
