"""What a file or folder is, what it holds, and which command goes on from it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hammingway import code_files
from hammingway.cli.index_choice import typed_options
from hammingway.cli.progress_bar import progress_bar
from hammingway.code_files import read_codes
from hammingway.datasets import formats
from hammingway.errors import FileFormatError, InvalidInputError
from hammingway.indexes import load_index
from hammingway.indexes.loading import INDEX_KINDS
from hammingway.storage import looks_sealed, read_arrays, read_kind

__all__ = ["describe"]

_USUAL_BITS = 64


def describe(path: Path, *, key: str | None) -> dict[str, Any]:
    """Return what is at ``path`` as JSON holds it; files of Hammingway are read as a whole, and checked.

    Every answer has ``path``, ``kind``, ``bytes`` (on disk) and ``next``, commands that take what is there.

    Parameters
    ----------
    key : which array of a file of vectors to look at.

    Raises
    ------
    FileFormatError : unknown, or damaged.
    InvalidInputError : a key where there are no arrays to choose from, or none of that name.
    """
    kind = None if path.is_dir() else read_kind(path)
    sealed = kind is not None or (path.is_file() and looks_sealed(path))
    if key is not None and (sealed or path.is_dir()):
        raise InvalidInputError(f"{path} is no file of vectors, so --key has no meaning; leave it out.")
    with progress_bar(f"reading {path.name}"):
        if path.is_dir():
            facts = _of_folder(path)
        elif sealed:
            facts = _OF_KIND.get(kind or "", _of_index if kind in INDEX_KINDS else _of_other)(path)
        else:
            facts = _of_vectors(path, key)
    size = facts.pop("bytes", None) or path.stat().st_size
    typed = shlex.quote(f"./{path}" if str(path).startswith("-") else str(path))  # else it would be an option
    following = [line.replace("PATH", typed) for line in facts.pop("next")]
    return {"path": str(path), "kind": facts.pop("kind"), "bytes": size, **facts, "next": following}


def _of_codes(path: Path) -> dict[str, Any]:
    stored = read_codes(path)
    return {
        "kind": "codes",
        "n": len(stored.codes),
        "n_bits": stored.codes.n_bits,
        "dtype": str(stored.codes.packed.dtype),
        "ids": "counted from 0" if stored.ids is None else "stored",
        "encoder": stored.encoder,
        "next": ["hammingway search PATH QUERIES --model MODEL", "hammingway index PATH --kind multi --out INDEX"],
    }


def _of_hasher(path: Path) -> dict[str, Any]:
    from hammingway.hashers import load_hasher

    hasher = load_hasher(path)
    return {
        "kind": "hasher",
        "hasher": type(hasher).registry_name,
        "n_features": hasher.n_features_in_,
        "n_bits": hasher.n_bits_,
        "parameters": hasher.get_params(deep=False),
        "fingerprint": hasher.fingerprint(),
        "next": ["hammingway encode PATH VECTORS --out CODES"],
    }


def _of_index(path: Path) -> dict[str, Any]:
    index = load_index(path)
    return {
        "kind": "index",
        "index": type(index).__name__,
        "exact": index.exact,
        "n": len(index),
        "n_bits": index.n_bits,
        "options": {name: _plain(getattr(index, name)) for name in sorted(typed_options(type(index)))},
        "encoder": index.encoder,
        "next": ["hammingway search PATH QUERIES --model MODEL"],
    }


def _of_other(path: Path) -> dict[str, Any]:
    """Return what is known of another file that Hammingway wrote, such as a checkpoint; raise if it is damaged."""
    kind = read_kind(path) or "saved"
    arrays, _ = read_arrays(path, kind=kind)
    return {"kind": kind, "arrays": len(arrays), "next": []}


def _of_folder(path: Path) -> dict[str, Any]:
    from hammingway.collection import Collection
    from hammingway.collection.database import Folder

    if not Folder(path).database.exists():
        return _of_class_folders(path)
    with Collection.open(path, read_only=True) as collection:
        stats = asdict(collection.stats())
        return {
            "kind": "collection",
            "bytes": stats.pop("disk_bytes"),
            "n": stats.pop("n_items"),
            "id_type": collection.id_type,
            **stats,
            "next": ["hammingway collection search PATH QUERIES", "hammingway collection verify PATH"],
        }


def _of_class_folders(path: Path) -> dict[str, Any]:
    try:
        found = formats.read_class_folders(path)
    except FileFormatError as error:
        raise FileFormatError(f"{path} is no collection, and no folder of vectors: {error}") from error
    return {
        "kind": "vectors",
        "bytes": sum((path / name).stat().st_size for name in found.files),
        "format": formats.detect(path),
        "n": len(found.vectors),
        "d": found.vectors.shape[1],
        "dtype": str(found.vectors.dtype),
        "classes": len(found.classes),
        "next": [
            "hammingway fit PATH --hasher csq --labels PATH --out MODEL",
            "hammingway encode MODEL PATH --out CODES",
        ],
    }


def _of_vectors(path: Path, key: str | None) -> dict[str, Any]:
    held = formats.describe(path, key=key)
    n, d = held.shape[0], held.shape[-1]
    facts: dict[str, Any] = {"format": held.format, "n": n, "d": d, "dtype": str(held.dtype)}
    if held.format == "ibin-truth":
        return {"kind": "neighbours", **facts, "next": ["hammingway convert PATH IDS.npy"]}
    if len(held.shape) == 1:
        del facts["d"]
        labels = held.dtype.kind in "iu"
        following = ["hammingway fit VECTORS --hasher cca-itq --labels PATH --out MODEL"] if labels else []
        return {"kind": "labels" if labels else "numbers", **facts, "next": following}
    chosen = "" if key is None else f" --key {shlex.quote(key)}"
    n_bits = min(_USUAL_BITS, d)  # of which itq takes one a dimension
    following = [
        f"hammingway fit PATH --hasher itq --bits {n_bits}{chosen} --out MODEL",
        f"hammingway encode MODEL PATH{chosen} --out CODES",
    ]
    return {"kind": "vectors", **facts, "next": following}


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


_OF_KIND: dict[str, Callable[[Path], dict[str, Any]]] = {code_files.KIND: _of_codes, "hasher": _of_hasher}
