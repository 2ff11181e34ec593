"""Reading a whole collection for damage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from sqlite3 import Connection

from hammingway.collection import tables
from hammingway.collection.database import Folder, system_errors
from hammingway.collection.parts import Snapshot
from hammingway.errors import FileFormatError, HammingwayError

__all__ = ["damages"]


def damages(connection: Connection, folder: Folder, snapshot: Snapshot) -> list[str]:
    """Return what is wrong with the files behind ``snapshot``, one sentence each."""
    found = []
    for check in _checks(connection, folder, snapshot):
        try:
            check()
        except (HammingwayError, OSError) as error:
            found.append(str(error))
    return found


def _checks(connection: Connection, folder: Folder, snapshot: Snapshot) -> Iterator[Callable[[], object]]:
    manifest = snapshot.manifest
    yield lambda: _check_database(connection, folder)
    yield lambda: tables.check_table(connection, manifest.n_described, folder.database)
    for part in snapshot.segments:
        for file in part.files.values():
            file.forget_checks()
            yield file.check
    if manifest.has_encoder:
        yield lambda: _check_encoder(folder, manifest.encoder)


def _check_database(connection: Connection, folder: Folder) -> None:
    with system_errors(folder.database):
        for (line,) in connection.execute("PRAGMA integrity_check"):
            if line != "ok":
                raise FileFormatError(f"{folder.database} is damaged: {line}. Restore a copy.")


def _check_encoder(folder: Folder, fingerprint: str | None) -> None:
    from hammingway.hashers.saving import load_hasher

    if load_hasher(folder.encoder).fingerprint() != fingerprint:
        raise FileFormatError(f"{folder.encoder} is not the encoder of this collection. Restore a copy.")
