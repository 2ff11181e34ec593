"""A new collection's directory: complete under its name, or not there."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hammingway.codes import check_n_bits
from hammingway.collection.database import Folder, create_database, system_errors
from hammingway.collection.inputs import OriginalType, check_choice
from hammingway.collection.records import FORMAT_VERSION, IdType, Manifest, encode, mark
from hammingway.collection.remedies import Remedy
from hammingway.collection.segments import sync_folder
from hammingway.errors import InvalidInputError, RefusedError

if TYPE_CHECKING:
    from hammingway.hashers.base import Hasher

__all__ = ["create_folder", "first_manifest"]


def first_manifest(
    encoder: Hasher | str | None, n_bits: int | None, *, id_type: IdType, originals: OriginalType | None
) -> tuple[Manifest, Hasher | None]:
    """Return what is recorded of an empty collection, and the hasher to store.

    Raises
    ------
    InvalidInputError : an argument cannot be used.
    """
    check_choice("id_type", id_type, IdType)
    if originals is not None:
        check_choice("originals", originals, OriginalType)
    hasher = None if encoder is None or isinstance(encoder, str) else encoder
    if hasher is not None:
        if n_bits is not None and n_bits != hasher.n_bits_:
            raise InvalidInputError(f"the encoder gives {hasher.n_bits_} bits, not {n_bits}; leave n_bits out.")
        n_bits = hasher.n_bits_
        if hasher.has_bias:
            raise InvalidInputError(
                "a collection keeps codes without a bias, and the encoder's norm_correction gives them one; fit it "
                "with norm_correction=None, or put its codes and code_bias into an index."
            )
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        n_bits=check_n_bits(n_bits),
        id_type=id_type,
        encoder=encoder if hasher is None or isinstance(encoder, str) else hasher.fingerprint(),
        has_encoder=hasher is not None,
        originals=originals,
        n_features=None if hasher is None else int(hasher.n_features_in_),
    )
    return manifest, hasher


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
