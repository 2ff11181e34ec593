"""The file of a FlatIndex: its blocks as they are, so that loading copies and never transposes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hammingway.codes import MAX_BITS
from hammingway.errors import FileFormatError
from hammingway.ids import MAX_ID
from hammingway.indexes.id_map import IdMap
from hammingway.indexes.plane_store import PlaneStore
from hammingway.kernels import LANES
from hammingway.storage import read_arrays, write_arrays

__all__ = ["KIND", "read", "read_with_header", "write"]

KIND = "flat-index"


def write(
    path: str | os.PathLike[str],
    store: PlaneStore,
    id_map: IdMap,
    *,
    kind: str = KIND,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write a store without dead slots, and its ids unless they count up from 0; ``more`` joins the header."""
    arrays: dict[str, NDArray[Any]] = {"planes": store.planes}
    if id_map.stored is not None:
        arrays["ids"] = id_map.stored
    header = {"n_bits": store.n_bits, "n_codes": store.n_slots, "next_id": id_map.next_id, "lanes": LANES}
    write_arrays(path, arrays, kind=kind, header=header | dict(more or {}))


def read(path: str | os.PathLike[str]) -> tuple[PlaneStore, IdMap]:
    """Return what :func:`write` wrote, every number of the header held against the arrays.

    Raises
    ------
    FileNotFoundError : there is no such file.
    FileFormatError : not such a file, or its parts contradict each other.
    """
    store, id_map, _ = read_with_header(path, kind=KIND)
    return store, id_map


def read_with_header(path: str | os.PathLike[str], *, kind: str) -> tuple[PlaneStore, IdMap, dict[str, Any]]:
    """Return what :func:`write` wrote as ``kind``, and the header, of which only its own part is checked.

    Raises
    ------
    FileNotFoundError, FileFormatError : as for :func:`read`.
    """
    arrays, header = read_arrays(path, kind=kind)
    n_codes = _check_header(header, path)
    planes = _check_planes(arrays, header, path)
    ids = _check_ids(arrays, header, path)
    store = PlaneStore.from_arrays(planes, _all_live(n_codes), n_codes)
    return store, IdMap(n_codes, ids=ids, next_id=header["next_id"]), header


def _check_header(header: Mapping[str, Any], path: str | os.PathLike[str]) -> int:
    ranges = {
        "n_bits": (1, MAX_BITS),
        "n_codes": (0, MAX_ID),
        "next_id": (0, MAX_ID + 1),
        "lanes": (LANES, LANES),
    }
    for key, (least, most) in ranges.items():
        value = header.get(key)
        if type(value) is not int or not least <= value <= most:
            _refuse(path, f"{key} must be a whole number from {least} to {most}; it is {value!r}")
    if header["next_id"] < header["n_codes"]:
        _refuse(path, f"{header['n_codes']} codes cannot have distinct ids under {header['next_id']}")
    return int(header["n_codes"])


def _check_planes(
    arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any], path: str | os.PathLike[str]
) -> NDArray[np.uint64]:
    n_words = LANES // 64
    n_blocks, n_tail = divmod(header["n_codes"], LANES)
    shape = (n_blocks + (n_tail > 0), header["n_bits"], n_words)
    planes = arrays.get("planes")
    if planes is None or planes.dtype != np.uint64 or planes.shape != shape:
        came = "missing" if planes is None else f"{planes.dtype} {planes.shape}"
        _refuse(path, f"{header['n_codes']} codes need planes of uint64 {shape}; they are {came}")
    return np.require(planes, requirements=["C", "W"])


def _check_ids(
    arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any], path: str | os.PathLike[str]
) -> NDArray[np.int64] | None:
    ids = arrays.get("ids")
    if ids is None:
        if header["next_id"] != header["n_codes"]:
            _refuse(path, f"{header['n_codes']} codes without ids are followed by id {header['next_id']}")
        return None
    if ids.dtype != np.int64 or ids.shape != (header["n_codes"],):
        _refuse(path, f"{header['n_codes']} codes need as many int64 ids; they are {ids.dtype} {ids.shape}")
    ordered = np.sort(ids)
    if ids.size and (ordered[0] < 0 or ordered[-1] >= header["next_id"] or np.any(ordered[1:] == ordered[:-1])):
        _refuse(path, f"ids must be distinct and lie from 0 to {header['next_id'] - 1}")
    return np.require(ids, requirements=["C", "W"])


def _all_live(n_codes: int) -> NDArray[np.uint64]:
    """Return live planes, uint64 (n_blocks, 8), whose first ``n_codes`` lanes are set."""
    n_blocks = -(-n_codes // LANES)
    bits = np.zeros(n_blocks * LANES, np.bool_)
    bits[:n_codes] = True
    words = np.packbits(bits, bitorder="little").view("<u8").astype(np.uint64, copy=False)
    return words.reshape(n_blocks, LANES // 64)


def _refuse(path: str | os.PathLike[str], why: str) -> NoReturn:
    raise FileFormatError(f"{path} is not a sound index file: {why}. Write it again.")
