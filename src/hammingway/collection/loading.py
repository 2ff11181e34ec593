"""From the database and the files to a snapshot, everything small checked on the way."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hammingway.collection.database import Database, Folder
from hammingway.collection.limits import CHUNK_SLOTS
from hammingway.collection.names import Names
from hammingway.collection.old_names import named_parts
from hammingway.collection.parts import Part, Snapshot
from hammingway.collection.records import FORMAT_VERSION, RECENT, FileRecord, Manifest, SegmentRecord, decode
from hammingway.collection.segments import MappedArray
from hammingway.collection.tables import check_row
from hammingway.errors import FileFormatError
from hammingway.kernels import LANES
from hammingway.kernels.live_planes import all_live

__all__ = ["CHUNK_WORDS", "load_snapshot", "map_segment", "read_manifest"]

CHUNK_WORDS = CHUNK_SLOTS // 64
_TRIES = 20
_RECENT_PLAIN = "SELECT first_slot, mark, keys, codes, originals FROM recent ORDER BY first_slot"
_RECENT_NAMED = "SELECT first_slot, mark, keys, codes, originals, names FROM recent ORDER BY first_slot"


class _Version(msgspec.Struct):
    format_version: int


def load_snapshot(database: Database, folder: Folder, *, known: Mapping[int, Part]) -> Snapshot:
    """Return the state that the database holds.

    Parameters
    ----------
    known : parts of segments that are mapped already, by number.

    Raises
    ------
    FileFormatError : a file or row is missing or damaged.
    """
    for _ in range(_TRIES):
        acknowledged = database.acknowledged()
        with database.reading(database.begin_reading()) as connection:
            manifest = read_manifest(connection, folder)
            if manifest.operation < acknowledged:
                raise FileFormatError(
                    f"{folder.database} or its -wal file is damaged: operation {acknowledged} was acknowledged, and it "
                    f"ends with operation {manifest.operation}. Restore a copy."
                )
            try:
                return _snapshot(connection, folder, manifest, known)
            except FileNotFoundError as error:
                missing = error
        # A writer may have replaced the segment since: then the newest state does without it.
        if not database.read_only:
            break
        database.renew()
    raise FileFormatError(f"{missing.filename} is missing, and the collection needs it. Restore a copy.") from missing


def read_manifest(connection: sqlite3.Connection, folder: Folder) -> Manifest:
    """Return the manifest.

    Raises
    ------
    FileFormatError : it is damaged or of a newer format.
    """
    row = connection.execute("SELECT body, mark FROM manifest WHERE only = 1").fetchone()
    if row is None:
        raise FileFormatError(f"{folder.database} is damaged: it has no manifest. Restore a copy.")
    check_row("manifest", 1, row[:1], row[1], folder.database)
    version = decode(row[0], _Version, folder.database).format_version
    if version > FORMAT_VERSION:
        raise FileFormatError(
            f"{folder.path} has format version {version}; this version of Hammingway reads up to {FORMAT_VERSION}. "
            "Upgrade Hammingway."
        )
    return decode(row[0], Manifest, folder.database)


def map_segment(folder: Folder, record: SegmentRecord, manifest: Manifest) -> Part:
    """Return the part of a segment, its files mapped and all its slots live.

    Raises
    ------
    FileNotFoundError, FileFormatError : a file is missing, or of another size than was written.
    """

    def mapped(file: FileRecord, *, kept: bool = False) -> MappedArray:
        return MappedArray(folder.segments / file.name, file, kept=kept)

    _check_arrays(folder, record, manifest)
    files = {"planes": mapped(record.planes, kept=True)}
    if record.keys is not None:
        files["keys"] = mapped(record.keys)
    _check_range(folder, record, files["keys"].array if "keys" in files else None)
    if record.originals is not None:
        files["originals"] = mapped(record.originals)
    name_files = (
        {}
        if record.names is None
        else {name: mapped(file) for name, file in msgspec.structs.asdict(record.names).items()}
    )
    names = Names(**{name: file.array for name, file in name_files.items()}, files=name_files) if name_files else None
    return Part(
        files["planes"].array,
        all_live(record.n_slots),
        record.n_slots,
        first_key=record.first_key,
        keys=files["keys"].array if "keys" in files else None,
        originals=files["originals"].array if "originals" in files else None,
        names=names,
        record=record,
        files=files | name_files,
    )


def _check_arrays(folder: Folder, record: SegmentRecord, manifest: Manifest) -> None:
    """Raise FileFormatError unless a segment's arrays have the types and shapes that it and the manifest call for."""
    n = record.n_slots
    expected: dict[str, tuple[str, tuple[int | None, ...]] | None] = {
        "planes": ("<u8", (-(-n // LANES), manifest.n_bits, LANES // 64)),
        "keys": None if record.keys is None else ("<i8", (n,)),
        "originals": None,
    }
    if manifest.originals is not None and manifest.n_features is not None:
        expected["originals"] = np.dtype(manifest.originals).newbyteorder("<").str, (n, manifest.n_features)
    for name, wanted in expected.items():
        file = getattr(record, name)
        if (None if file is None else (file.dtype, file.shape)) != wanted:
            raise FileFormatError(
                f"{folder.database} is damaged: the {name} of segment {record.number} are not what its manifest says. "
                "Restore a copy."
            )


def _check_range(folder: Folder, record: SegmentRecord, keys: NDArray[np.int64] | None) -> None:
    """Raise FileFormatError unless a segment's keys begin and end where its record says."""
    ends = (record.first_key, record.first_key + record.n_slots - 1)
    if keys is not None and len(keys):
        ends = int(keys[0]), int(keys[-1])
    if ends != (record.first_key, record.last_key):
        raise FileFormatError(
            f"{folder.database} or the keys of segment {record.number} are damaged: they are {ends[0]} to {ends[1]}, "
            f"and {record.first_key} to {record.last_key} are recorded. Restore a copy."
        )


def _snapshot(
    connection: sqlite3.Connection, folder: Folder, manifest: Manifest, known: Mapping[int, Part]
) -> Snapshot:
    *segments, recent = _parts(connection, folder, manifest, known)
    snapshot = Snapshot(manifest, tuple(segments), recent)
    n_items = sum(part.n_live for part in snapshot.parts)
    if n_items != manifest.n_items:
        raise FileFormatError(
            f"{folder.database} is damaged: {n_items} of {manifest.n_items} items are there. Restore a copy."
        )
    return snapshot


def _parts(
    connection: sqlite3.Connection, folder: Folder, manifest: Manifest, known: Mapping[int, Part]
) -> Sequence[Part]:
    parts = [*_segments(connection, folder, manifest, known), _recent(connection, folder, manifest)]
    if manifest.id_type == "integer":
        return parts
    if manifest.format_version == 1:
        return list(named_parts(connection, manifest, parts, folder.database))
    if any(part.names is None for part in parts):
        raise FileFormatError(f"{folder.database} is damaged: a segment has no names. Restore a copy.")
    return parts


def _segments(
    connection: sqlite3.Connection, folder: Folder, manifest: Manifest, known: Mapping[int, Part]
) -> tuple[Part, ...]:
    rows = connection.execute("SELECT number, body, mark FROM segments ORDER BY number").fetchall()
    for number, body, checksum in rows:
        check_row("segments", number, (body,), checksum, folder.database)
    if tuple(row[0] for row in rows) != manifest.segments:
        raise FileFormatError(f"{folder.database} is damaged: its segments are not those of its manifest.")
    parts = {}
    for number, body, _ in rows:
        if number in known:
            part = known[number]
            parts[number] = replace(part, live=all_live(part.n_slots))
        else:
            parts[number] = map_segment(folder, decode(body, SegmentRecord, folder.database), manifest)
    for number, chunk, bits in _live_rows(connection, folder):
        if number in parts:
            _set_chunk(parts[number], chunk, bits, folder)
    return tuple(parts[number] for number in manifest.segments)


def _live_rows(connection: sqlite3.Connection, folder: Folder) -> list[tuple[int, int, bytes]]:
    rows = connection.execute("SELECT segment, chunk, bits, mark FROM live").fetchall()
    for number, chunk, bits, checksum in rows:
        check_row("live", number, (str(chunk), bits), checksum, folder.database)
    return [row[:3] for row in rows]


def _set_chunk(part: Part, chunk: int, bits: bytes, folder: Folder) -> None:
    words = part.live.reshape(-1)[chunk * CHUNK_WORDS : (chunk + 1) * CHUNK_WORDS]
    if len(bits) != words.nbytes:
        raise FileFormatError(f"{folder.database} is damaged: live bits have a wrong length. Restore a copy.")
    words &= np.frombuffer(bits, "<u8")


def _recent(connection: sqlite3.Connection, folder: Folder, manifest: Manifest) -> Part:
    named = manifest.id_type == "string" and manifest.format_version > 1
    rows = connection.execute(_RECENT_NAMED if named else _RECENT_PLAIN).fetchall()
    for first_slot, checksum, *contents in rows:
        check_row("recent", first_slot, contents, checksum, folder.database)
    keys = _recent_rows([row[2] for row in rows], "<i8", 1, folder).reshape(-1).astype(np.int64)
    packed = _recent_rows([row[3] for row in rows], "u1", -(-manifest.n_bits // 8), folder)
    names = Names.of([name for row in rows for name in row[5].decode().split("\0")]) if named else None
    originals = None
    if manifest.originals is not None and manifest.n_features is not None:
        originals = _recent_rows([row[4] for row in rows], manifest.originals, manifest.n_features, folder)
    if len(packed) != len(keys) or (originals is not None and len(originals) != len(keys)):
        raise FileFormatError(f"{folder.database} is damaged: recent writes differ in length. Restore a copy.")
    part = Part.in_memory(keys, packed, originals=originals, names=names, n_bits=manifest.n_bits)
    for number, chunk, bits in _live_rows(connection, folder):
        if number == RECENT:
            _set_chunk(part, chunk, bits, folder)
    return part


def _recent_rows(contents: list[bytes | None], dtype: str, width: int, folder: Folder) -> NDArray[Any]:
    """Return the rows of ``width`` values that one column of the table holds."""
    content = b"".join([part or b"" for part in contents])
    if len(content) % (np.dtype(dtype).itemsize * width):
        raise FileFormatError(f"{folder.database} is damaged: recent writes end within a row. Restore a copy.")
    return np.frombuffer(content, dtype).reshape(-1, width)
