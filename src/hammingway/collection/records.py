"""What the database says of a collection and of its segments, as strictly typed records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar
from zlib import crc32

import msgspec

from hammingway.codes import MAX_BITS
from hammingway.collection.inputs import OriginalType
from hammingway.errors import FileFormatError
from hammingway.ids import MAX_ID

__all__ = [
    "FORMAT_VERSION",
    "RECENT",
    "FileRecord",
    "IdType",
    "Manifest",
    "NamesRecord",
    "SegmentRecord",
    "decode",
    "encode",
    "mark",
]

FORMAT_VERSION = 2
"""Version 1 kept string ids in a table of the database; its collections become version 2 when they are written to."""

RECENT = -1
"""Number under which the live bits of recent writes are stored, where others have their segment's."""

IdType = Literal["integer", "string"]
_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_ID)]
_Record = TypeVar("_Record", bound=msgspec.Struct)


class FileRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a segment: an array in NumPy's .npy format and the digests of its bytes.

    Parameters
    ----------
    name : of the file, in the folder ``segments``.
    size_bytes : of the whole file.
    offset : where the array begins, in bytes.
    dtype, shape : of the array, C order.
    digests : BLAKE2b of every ``DIGEST_BYTES`` of the file.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"^\w[\w.-]*$")]
    size_bytes: _Count
    offset: _Count
    dtype: Annotated[str, msgspec.Meta(pattern="^[<|][fiu][1248]$")]
    shape: Annotated[tuple[_Count, ...], msgspec.Meta(min_length=1)]
    digests: tuple[str, ...]


class NamesRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The files of a segment's string ids; see :class:`hammingway.collection.names.Names`."""

    text: FileRecord
    ends: FileRecord
    hashes: FileRecord
    slots: FileRecord


class SegmentRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One immutable segment, its slots in ascending order of their keys.

    Parameters
    ----------
    number : distinguishes segments, also in the names of their files.
    n_slots : codes it was written with.
    first_key : key of slot 0; without a file of keys, slot s has key ``first_key + s``.
    last_key : key of the last slot.
    planes, keys, originals, names : its files; the latter three only where there are any.
    """

    number: _Count
    n_slots: _Count
    first_key: _Count
    last_key: _Count
    planes: FileRecord
    keys: FileRecord | None = None
    originals: FileRecord | None = None
    names: NamesRecord | None = None

    @property
    def files(self) -> tuple[FileRecord, ...]:
        """All files of the segment."""
        names = () if self.names is None else (self.names.text, self.names.ends, self.names.hashes, self.names.slots)
        return (*(file for file in (self.planes, self.keys, self.originals) if file is not None), *names)


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The state of a collection after one operation.

    Parameters
    ----------
    format_version : of the directory; a newer one than this package knows is refused.
    n_bits : bits a code.
    id_type : 'integer', where an item's key is its id, or 'string', where keys number the items.
    encoder : fingerprint of the hasher whose codes these are, if known.
    has_encoder : whether the hasher itself is stored beside the database.
    originals : dtype of the stored vectors; None where none are kept.
    n_features : components of a stored vector; None until the first came.
    operation : counts committed operations; a lost one shows.
    next_key, next_segment : what the next item and segment are called.
    n_items, n_described : live items and rows of metadata; a lost row shows.
    n_named : rows of names in version 1; 0 since.
    n_forgotten : rows of metadata removed since the database was last written anew.
    segments : numbers of the segments in use.
    """

    format_version: int
    n_bits: Annotated[int, msgspec.Meta(ge=1, le=MAX_BITS)]
    id_type: IdType
    encoder: str | None
    has_encoder: bool
    originals: OriginalType | None
    n_features: Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)] | None
    operation: _Count = 0
    next_key: Annotated[int, msgspec.Meta(ge=0)] = 0
    next_segment: _Count = 0
    n_items: _Count = 0
    n_named: _Count = 0
    n_described: _Count = 0
    n_forgotten: _Count = 0
    segments: tuple[_Count, ...] = ()


def encode(record: msgspec.Struct) -> str:
    """Return ``record`` as JSON."""
    return msgspec.json.encode(record).decode()


def decode(text: object, kind: type[_Record], path: Path) -> _Record:
    """Return the record in ``text``; FileFormatError names ``path`` where there is none."""
    try:
        return msgspec.json.decode(str(text), type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise FileFormatError(
            f"{path} is damaged: a {kind.__name__} cannot be read ({error}). Restore a copy."
        ) from error


def mark(key: int, *fields: str | bytes | None) -> int:
    """Return the CRC-32 of a row: every row carries it, as SQLite itself would not notice a flipped bit."""
    checksum = crc32(key.to_bytes(8, "little", signed=True))
    for field in fields:
        part = field.encode() if isinstance(field, str) else field
        checksum = crc32(b"\0" if part is None else b"\1" + part, checksum)
    return checksum
