"""A new collection's directory: complete under its name, or not there."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hammingway.collection.database import Folder, create_database, system_errors
from hammingway.collection.records import Manifest, encode, mark
from hammingway.collection.remedies import Remedy
from hammingway.collection.segments import sync_folder
from hammingway.errors import RefusedError

if TYPE_CHECKING:
    from hammingway.hashers.base import Hasher

__all__ = ["create_folder"]


def create_folder(path: str | os.PathLike[str], manifest: Manifest, encoder: Hasher | None) -> None:
    """Write an empty collection to ``path``, in one step.

    Raises
    ------
    RefusedError : there is something at ``path`` already.
    """
    final = Path(path)
    if final.exists():
        raise RefusedError(f"{final} exists already", Remedy.CHOOSE_PATH)
    unfinished = Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{final.name}.", suffix=".part"))
    try:
        folder = Folder(unfinished)
        folder.segments.mkdir()
        create_database(folder)
        _store_manifest(folder, manifest)
        if encoder is not None:
            encoder.save(folder.encoder)
        umask = os.umask(0)
        os.umask(umask)
        unfinished.chmod(0o777 & ~umask)
        sync_folder(unfinished)
        unfinished.rename(final)
        sync_folder(final.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _store_manifest(folder: Folder, manifest: Manifest) -> None:
    body = encode(manifest)
    with system_errors(folder.database):
        connection = sqlite3.connect(folder.database, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("INSERT INTO manifest VALUES (1, ?, ?)", (body, mark(1, body)))
        finally:
            connection.close()
