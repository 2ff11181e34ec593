"""Benchmark records: one JSON object a line, appended, never rewritten.

A line counts once it ends in a newline; the unfinished line of an interrupted run is dropped and
that run is simply run again. Records hold what was measured (every repeat of every timing), so a
later report can compute what it likes from them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import msgspec

from hammingway.bench.spec import RunSpec
from hammingway.config import Config
from hammingway.errors import FileFormatError
from hammingway.sole_use import sole_use

__all__ = ["RECORD_VERSION", "Costs", "DataFacts", "RankingResult", "Record", "RecordStore", "read_records"]

RECORD_VERSION = 1


class DataFacts(Config, frozen=True, kw_only=True):
    """What the run was measured on.

    Parameters
    ----------
    digest : ``b2:`` digest of queries, database, training rows and labels; the same name with other
        content is another data set.
    protocol : queries and database in words.
    training : the training rows in words; empty in a record that has them in ``protocol``, as was usual before.
    n_queries, n_database, n_training : rows.
    d : width of a vector.
    vector_bytes : bytes of one original vector, as stored.
    labelled : whether class labels were there.
    """

    digest: str
    protocol: str
    n_queries: int
    n_database: int
    n_training: int
    d: int
    vector_bytes: int
    labelled: bool
    training: str = ""


class Costs(Config, frozen=True, kw_only=True):
    """What the run took, in seconds: wall time of a monotonic clock, but for ``fit_processor_seconds``.

    Parameters
    ----------
    fit_seconds : learning the hash function from the training rows, once; None for one that came from a file.
    encode_seconds : encoding the database rows, once.
    encode_rows : rows encoded in that time.
    batch_seconds : one entry a repeat; all queries handed over at once.
    batch_queries : queries in a batch.
    single_seconds : one list a repeat, one entry a query handed over alone.
    code_bytes : bytes of one code.
    index_bytes : bytes the index takes in memory.
    fit_processor_seconds : processor time of the fit, all threads together, which does not grow with what else the
        machine does; None in a record that was made before it was measured, too.
    """

    fit_seconds: float | None
    encode_seconds: float
    encode_rows: int
    batch_seconds: tuple[float, ...]
    batch_queries: int
    single_seconds: tuple[tuple[float, ...], ...]
    code_bytes: int
    index_bytes: int
    fit_processor_seconds: float | None = None


class RankingResult(Config, frozen=True, kw_only=True):
    """What another ranking of a run's codes found, and what it took.

    Parameters
    ----------
    quality, curves : recall, as in :class:`Record`.
    batch_seconds, single_seconds : of the search, as in :class:`Costs`.
    """

    quality: dict[str, float]
    curves: dict[str, list[tuple[float, float]]]
    batch_seconds: tuple[float, ...]
    single_seconds: tuple[tuple[float, ...], ...]


class Record(Config, frozen=True, kw_only=True):
    """One run: what was asked, on what, and what came out.

    Parameters
    ----------
    run_id, spec : the run; ``run_id`` is the digest of ``spec``.
    status : 'measured', or 'refused' where the run is impossible; then ``reason`` says why.
    data, costs : see there; absent costs belong to a refused run.
    quality : name to value in [0, 1], averaged over the queries that have one.
    undefined : name to how many queries have none and are left out of that mean; absent where all have one.
    curves : name to points: 'recall' (k, recall), 'precision-recall' (recall, precision).
    health : of the database's codes: balance, entropy, bucket occupancy.
    rankings : name to what another ranking of the same codes found.
    environment : hardware, threads, versions, kernel.
    started_at : UTC, ISO 8601.
    """

    run_id: str
    spec: RunSpec
    status: Literal["measured", "refused"]
    data: DataFacts
    environment: dict[str, Any]
    started_at: str
    reason: str = ""
    quality: dict[str, float] = msgspec.field(default_factory=dict)
    undefined: dict[str, int] = msgspec.field(default_factory=dict)
    curves: dict[str, list[tuple[float, float]]] = msgspec.field(default_factory=dict)
    health: dict[str, float] = msgspec.field(default_factory=dict)
    rankings: dict[str, RankingResult] = msgspec.field(default_factory=dict)
    costs: Costs | None = None
    record_version: int = RECORD_VERSION


class RecordStore:
    """An append-only file of records.

    Parameters
    ----------
    path : the file; made with the first record, folders included.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __iter__(self) -> Iterator[Record]:
        """Yield the whole records in the order they were written."""
        if self.path.exists():
            yield from read_records(self.path)

    def find(self, run_id: str, data_digest: str) -> Record | None:
        """Return the record of that run on exactly that data, if it is there."""
        for record in self:
            if record.run_id == run_id and record.data.digest == data_digest:
                return record
        return None

    def exclusive(self) -> AbstractContextManager[None]:
        """Keep every other process out of the file for a while; it is made if need be, and removed if still empty.

        Two evaluations at once would measure the same runs twice, and disturb each other's timings.

        Raises
        ------
        FolderInUseError : another process holds the file.
        """
        return sole_use(self.path, work="evaluation")

    def append(self, record: Record) -> None:
        """Write one record and flush it to disk; an unfinished last line is removed first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            _drop_unfinished_line(file)
            file.write(msgspec.json.encode(record) + b"\n")
            file.flush()
            os.fsync(file.fileno())


def read_records(path: str | os.PathLike[str]) -> list[Record]:
    """Return the records of a file, the unfinished last line of an interrupted run left out.

    Raises
    ------
    FileFormatError : the file cannot be read, or a finished line is not a record of this version.
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from error
    return [_decode(line, number, path) for number, line in enumerate(lines, start=1) if line.strip()]


def _decode(line: bytes, number: int, path: str | os.PathLike[str]) -> Record:
    try:
        record = msgspec.json.decode(line, type=Record)
    # UnicodeDecodeError: of a key that is no UTF-8, which msgspec would quote
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FileFormatError(
            f"{path}, line {number} is not a benchmark record ({error}); remove that line to run it again."
        ) from error
    if record.record_version != RECORD_VERSION or record.run_id != record.spec.run_id:
        raise FileFormatError(
            f"{path}, line {number} was written by another version of Hammingway; keep it and give another folder."
        )
    return record


def _drop_unfinished_line(file: Any) -> None:
    file.seek(0)
    content = file.read()
    if content and not content.endswith(b"\n"):
        file.truncate(content.rfind(b"\n") + 1)
