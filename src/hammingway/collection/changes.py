"""One operation in the making: rows in an open transaction, files on disk, parts for the next snapshot."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from hammingway.collection import tables
from hammingway.collection.database import Folder
from hammingway.collection.limits import Limits
from hammingway.collection.loading import CHUNK_WORDS, map_segment
from hammingway.collection.names import Names
from hammingway.collection.parts import Part, Snapshot
from hammingway.collection.records import (
    FORMAT_VERSION,
    RECENT,
    FileRecord,
    Manifest,
    NamesRecord,
    SegmentRecord,
    encode,
    mark,
)
from hammingway.collection.segments import ArrayWriter, sync_folder
from hammingway.kernels import LANES, write_rows

__all__ = ["Batch", "Change"]

_COPY_ROWS = 128 * LANES
_RECENT_COLUMNS = ("first_slot", "mark", "keys", "codes", "originals", "names")


class Rows(Protocol):
    """Where codes and their originals are read by slot."""

    def rows(self, slots: NDArray[np.int64]) -> NDArray[np.uint8]: ...
    def originals_of(self, slots: NDArray[np.int64]) -> NDArray[Any] | None: ...

    @property
    def names(self) -> Names | None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """New codes, uint8 (n, ceil(n_bits / 8)), their originals, (n, n_features) or None, and string ids or None."""

    packed: NDArray[np.uint8]
    originals: NDArray[Any] | None
    names: Names | None = None

    def rows(self, slots: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the codes of ``slots``."""
        return self.packed[slots]

    def originals_of(self, slots: NDArray[np.int64]) -> NDArray[Any] | None:
        """Return the originals of ``slots``."""
        return None if self.originals is None else self.originals[slots]


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Rows of several sources, by ascending key: row i is ``slots[i]`` of ``sources[owners[i]]``."""

    sources: Sequence[Rows]
    keys: NDArray[np.int64]
    owners: NDArray[np.int32]
    slots: NDArray[np.int64]

    @classmethod
    def of(cls, taken: Sequence[tuple[Rows, NDArray[np.int64], NDArray[np.int64]]]) -> Gathered:
        """Return (source, keys, slots) triples as one."""
        keys = np.concatenate([keys for _, keys, _ in taken])
        slots = np.concatenate([slots for _, _, slots in taken])
        owners = np.repeat(np.arange(len(taken), dtype=np.int32), [len(keys) for _, keys, _ in taken])
        if np.any(keys[1:] < keys[:-1]):
            order = np.argsort(keys)
            keys, slots, owners = keys[order], slots[order], owners[order]
        return cls([source for source, _, _ in taken], keys, owners, slots)

    def rows(self, chunk: slice) -> NDArray[np.uint8]:
        """Return the codes of some rows."""
        return self._collect(chunk, lambda source, slots: source.rows(slots))

    def originals(self, chunk: slice) -> NDArray[Any]:
        """Return the originals of some rows."""
        return self._collect(chunk, lambda source, slots: source.originals_of(slots))

    def name_lengths(self, chunk: slice) -> NDArray[np.int64]:
        """Return the bytes of the names of some rows, int64."""
        return self._collect(chunk, lambda source, slots: source.names.lengths(slots))

    def name_hashes(self, chunk: slice) -> NDArray[np.uint64]:
        """Return the hashes of the names of some rows."""
        return self._collect(chunk, lambda source, slots: source.names.hashes_by_slot()[slots])

    def name_text(self, chunk: slice) -> NDArray[np.uint8]:
        """Return the names of some rows, one after another."""
        owners, slots, lengths = self.owners[chunk], self.slots[chunk], self.name_lengths(chunk)
        text = np.empty(int(lengths.sum()), np.uint8)
        for owner in np.flatnonzero(np.bincount(owners)).tolist():
            names = self.sources[owner].names
            if names is not None:
                mine = owners == owner
                text[np.repeat(mine, lengths)] = names.text_of(slots[mine])
        return text

    def _collect(self, chunk: slice, read: Any) -> NDArray[Any]:
        owners, slots = self.owners[chunk], self.slots[chunk]
        collected: NDArray[Any] | None = None
        for owner in np.flatnonzero(np.bincount(owners)).tolist():  # many times as fast as unique
            mine = owners == owner
            values = read(self.sources[owner], slots[mine])
            if collected is None:
                collected = np.empty((len(owners), *values.shape[1:]), values.dtype)
            collected[mine] = values
        if collected is None:
            raise ValueError("a chunk has no rows")
        return collected


class Change:
    """One operation on top of ``snapshot``; nothing of it counts before :meth:`finish` and a commit.

    Parameters
    ----------
    connection : in a transaction.
    """

    def __init__(self, connection: sqlite3.Connection, folder: Folder, snapshot: Snapshot, limits: Limits) -> None:
        self.connection, self._folder, self._limits = connection, folder, limits
        self.manifest: Manifest = snapshot.manifest
        self.snapshot = snapshot
        self.written: list[Path] = []
        self.obsolete: list[Path] = []

    def kill(self, keys: NDArray[np.int64]) -> None:
        """Remove the codes of ``keys``, all present and distinct; names and metadata stay."""
        owners, slots = self.snapshot.find(keys)
        segments = list(self.snapshot.segments)
        for i in np.unique(owners).tolist():
            mine = slots[owners == i]
            if i < len(segments):
                segments[i] = segments[i].without(mine)
                self._store_live(segments[i], np.unique(mine // 64 // CHUNK_WORDS))
            else:
                self._replace(recent=self.snapshot.recent.without(mine))
                self._store_live(self.snapshot.recent, np.array([0]))
        self._replace(segments=tuple(segments))
        self.update(n_items=self.manifest.n_items - len(keys))

    def insert(self, keys: NDArray[np.int64], batch: Batch) -> None:
        """Store codes under ``keys``, none of which is present."""
        recent = self.snapshot.recent
        if not len(keys):
            return
        if recent.n_slots + len(keys) <= self._limits.recent_slots:
            self._append_recent(keys, batch)
        else:
            slots = recent.live_slots()
            self._write_segments(
                [(recent, recent.keys_of(slots), slots), (batch, keys, np.arange(len(keys), dtype=np.int64))]
            )
            self._empty_recent()
        self.update(n_items=self.manifest.n_items + len(keys))

    def replaced(self, keys: NDArray[np.int64]) -> None:
        """Remove the codes and metadata of ``keys``, which are to come anew."""
        self.kill(keys)
        self.forget(keys)

    def describe(self, keys: NDArray[np.int64], bodies: Sequence[str | None]) -> None:
        """Store the metadata, JSON, of new items."""
        n_stored = tables.store_bodies(self.connection, keys, bodies)
        self.update(n_described=self.manifest.n_described + n_stored)

    def forget(self, keys: NDArray[np.int64]) -> None:
        """Remove the metadata of ``keys``."""
        if self.manifest.n_described:
            n_removed = tables.forget(self.connection, keys)
            self.update(
                n_described=self.manifest.n_described - n_removed, n_forgotten=self.manifest.n_forgotten + n_removed
            )

    def modernise(self) -> None:
        """Bring a collection of format version 1 to the present one."""
        self.connection.execute("ALTER TABLE recent ADD COLUMN names BLOB")
        if self.manifest.id_type == "string":
            self.merge(self.snapshot.segments, recent=True)
        self.connection.execute("DROP TABLE names")
        self.update(format_version=FORMAT_VERSION, n_named=0)

    def merge(self, segments: Sequence[Part], *, recent: bool) -> None:
        """Write the live codes of some segments, and of recent writes if asked, into new segments."""
        numbers = {part.record.number for part in segments if part.record is not None}
        taken = [*segments, *([self.snapshot.recent] if recent else [])]
        rows = [(part, part.keys_of(slots), slots) for part in taken for slots in [part.live_slots()]]
        self._replace(segments=tuple(p for p in self.snapshot.segments if p.record and p.record.number not in numbers))
        for part in segments:
            self._drop(part)
        self._write_segments(rows)
        if recent:
            self._empty_recent()

    def update(self, **fields: Any) -> None:
        """Change fields of the manifest."""
        self.manifest = msgspec.structs.replace(self.manifest, **fields)

    def finish(self) -> Snapshot:
        """Write the manifest and return the snapshot to publish after the commit."""
        numbers = tuple(part.record.number for part in self.snapshot.segments if part.record is not None)
        self.update(operation=self.manifest.operation + 1, segments=numbers)
        body = encode(self.manifest)
        self.connection.execute("REPLACE INTO manifest VALUES (1, ?, ?)", (body, mark(1, body)))
        if self.written:
            sync_folder(self._folder.segments)
        self._replace(manifest=self.manifest)
        return self.snapshot

    def _replace(self, **fields: Any) -> None:
        self.snapshot = replace(self.snapshot, **fields)

    def _store_live(self, part: Part, chunks: NDArray[np.int64]) -> None:
        words = part.live.reshape(-1).astype("<u8", copy=False)
        number = RECENT if part.record is None else part.record.number
        for chunk in chunks.tolist():
            bits = words[chunk * CHUNK_WORDS : (chunk + 1) * CHUNK_WORDS].tobytes()
            row = (number, chunk, bits, mark(number, str(chunk), bits))
            self.connection.execute("REPLACE INTO live VALUES (?, ?, ?, ?)", row)

    def _append_recent(self, keys: NDArray[np.int64], batch: Batch) -> None:
        first_slot = self.snapshot.recent.n_slots
        contents = (
            keys.astype("<i8", copy=False).tobytes(),
            batch.packed.tobytes(),
            None if batch.originals is None else batch.originals.tobytes(),
            *(() if batch.names is None else ("\0".join(batch.names.texts(np.arange(len(keys)))).encode(),)),
        )
        row = (first_slot, mark(first_slot, *contents), *contents)
        columns = _RECENT_COLUMNS[: len(row)]
        places = ", ".join("?" * len(row))
        self.connection.execute(f"INSERT INTO recent ({', '.join(columns)}) VALUES ({places})", row)  # noqa: S608
        self._replace(recent=_appended(self.snapshot.recent, keys, batch))
        if self.snapshot.recent.n_live < self.snapshot.recent.n_slots:
            self._store_live(self.snapshot.recent, np.array([0]))

    def _empty_recent(self) -> None:
        self.connection.execute("DELETE FROM recent")
        self.connection.execute("DELETE FROM live WHERE segment = ?", (RECENT,))
        nothing = np.empty(0, np.int64)
        width = -(-self.manifest.n_bits // 8)
        names = Names.of([]) if self.manifest.id_type == "string" else None
        packed = np.empty((0, width), np.uint8)
        empty = Part.in_memory(nothing, packed, originals=None, names=names, n_bits=self.manifest.n_bits)
        self._replace(recent=empty)

    def _drop(self, part: Part) -> None:
        if part.record is not None:
            self.connection.execute("DELETE FROM segments WHERE number = ?", (part.record.number,))
            self.connection.execute("DELETE FROM live WHERE segment = ?", (part.record.number,))
            self.obsolete += [self._folder.segments / file.name for file in part.record.files]

    def _write_segments(self, taken: Sequence[tuple[Rows, NDArray[np.int64], NDArray[np.int64]]]) -> None:
        gathered = Gathered.of([each for each in taken if len(each[1])] or list(taken[:1]))
        for start in range(0, len(gathered.keys), self._limits.segment_slots):
            stop = min(start + self._limits.segment_slots, len(gathered.keys))
            record = self._write_segment(gathered, start, stop)
            body = encode(record)
            row = (record.number, body, mark(record.number, body))
            self.connection.execute("INSERT INTO segments VALUES (?, ?, ?)", row)
            part = map_segment(self._folder, record, self.manifest)
            self._replace(segments=(*self.snapshot.segments, part))

    def _write_segment(self, gathered: Gathered, start: int, stop: int) -> SegmentRecord:
        number, n = self.manifest.next_segment, stop - start
        self.update(next_segment=number + 1)
        keys = gathered.keys[start:stop]
        chunks = [slice(i, min(i + _COPY_ROWS, stop)) for i in range(start, stop, _COPY_ROWS)]
        contiguous = int(keys[-1]) - int(keys[0]) == n - 1
        return SegmentRecord(
            number=number,
            n_slots=n,
            first_key=int(keys[0]),
            last_key=int(keys[-1]),
            planes=self._write_planes(number, gathered, chunks, n),
            keys=None if contiguous else self._write_array(number, "keys", keys),
            originals=self._write_originals(number, gathered, chunks, n),
            names=self._write_names(number, gathered, chunks, slice(start, stop)),
        )

    def _write_planes(self, number: int, gathered: Gathered, chunks: Sequence[slice], n: int) -> FileRecord:
        n_bits = self.manifest.n_bits
        with self._writer(number, "planes", np.uint64, (-(-n // LANES), n_bits, LANES // 64)) as file:
            for chunk in chunks:
                packed = gathered.rows(chunk)
                planes = np.zeros((-(-len(packed) // LANES), n_bits, LANES // 64), np.uint64)
                write_rows(planes, np.zeros((len(planes), LANES // 64), np.uint64), packed, 0)
                file.write(planes)
            return file.finish()

    def _write_originals(self, number: int, gathered: Gathered, chunks: Sequence[slice], n: int) -> FileRecord | None:
        if self.manifest.originals is None or self.manifest.n_features is None:
            return None
        with self._writer(number, "originals", self.manifest.originals, (n, self.manifest.n_features)) as file:
            for chunk in chunks:
                file.write(gathered.originals(chunk))
            return file.finish()

    def _write_names(self, number: int, gathered: Gathered, chunks: Sequence[slice], rows: slice) -> NamesRecord | None:
        if self.manifest.id_type == "integer":
            return None
        ends = np.cumsum(gathered.name_lengths(rows))
        n_bytes = int(ends[-1])
        with self._writer(number, "names", np.uint8, (n_bytes,)) as file:
            for chunk in chunks:
                file.write(gathered.name_text(chunk))
            text = file.finish()
        hashes = gathered.name_hashes(rows)
        slots = np.argsort(hashes)
        return NamesRecord(
            text=text,
            ends=self._write_array(number, "name-ends", ends.astype(np.uint32 if n_bytes < 1 << 32 else np.uint64)),
            hashes=self._write_array(number, "name-hashes", hashes[slots]),
            slots=self._write_array(number, "name-slots", slots.astype(np.uint32)),
        )

    def _write_array(self, number: int, content: str, array: NDArray[Any]) -> FileRecord:
        with self._writer(number, content, array.dtype, array.shape) as file:
            file.write(array)
            return file.finish()

    def _writer(self, number: int, content: str, dtype: Any, shape: tuple[int, ...]) -> ArrayWriter:
        path = self._folder.segment_file(number, content)
        path.unlink(missing_ok=True)  # left by an operation that never counted
        self.written.append(path)
        return ArrayWriter(path, dtype, shape)


def _appended(recent: Part, keys: NDArray[np.int64], batch: Batch) -> Part:
    """Return recent writes with more after them, in memory of their own: others may be reading the old ones."""
    n_slots = recent.n_slots + len(keys)
    n_blocks = -(-n_slots // LANES)
    planes = np.zeros((n_blocks, *recent.planes.shape[1:]), np.uint64)
    live = np.zeros((n_blocks, LANES // 64), np.uint64)
    planes[: len(recent.planes)], live[: len(recent.live)] = recent.planes, recent.live
    write_rows(planes, live, batch.packed, recent.n_slots)
    old = recent.keys if recent.keys is not None else np.empty(0, np.int64)
    originals = batch.originals
    if originals is not None and recent.originals is not None:
        originals = np.concatenate([recent.originals, originals])
    names = recent.names
    if names is not None and batch.names is not None:
        names = names.followed_by(batch.names)
    return replace(
        recent,
        planes=planes,
        live=live,
        n_slots=n_slots,
        keys=np.concatenate([old, keys]),
        originals=originals,
        names=names,
    )
