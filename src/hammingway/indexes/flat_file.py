"""The file of a FlatIndex: its blocks as they are, so that loading copies and never transposes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hammingway.codes import MAX_BITS
from hammingway.errors import FileFormatError
from hammingway.ids import MAX_ID
from hammingway.indexes.id_map import IdMap
from hammingway.indexes.plane_store import PlaneStore
from hammingway.kernels import LANES
from hammingway.kernels.live_planes import all_live
from hammingway.storage import read_arrays, write_arrays

__all__ = [
    "KIND",
    "Parts",
    "check_bias",
    "check_encoder",
    "check_header",
    "check_ids",
    "check_planes",
    "read",
    "refuse",
    "write",
]

KIND = "flat-index"


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """What the file of a FlatIndex, or of an index built on one, holds.

    Parameters
    ----------
    store : the codes, without dead slots.
    id_map : their ids.
    bias : float32 (n_codes,), or None where they have none.
    encoder : fingerprint of the hasher that made them; None if unknown.
    """

    store: PlaneStore
    id_map: IdMap
    bias: NDArray[np.float32] | None
    encoder: str | None


def write(path: str | os.PathLike[str], parts: Parts, *, kind: str, more: Mapping[str, Any]) -> None:
    """Write ``parts``, the ids unless they count up from 0; ``more`` joins the header."""
    store, id_map = parts.store, parts.id_map
    arrays: dict[str, NDArray[Any]] = {"planes": store.planes}
    if id_map.stored is not None:
        arrays["ids"] = id_map.stored
    if parts.bias is not None:
        arrays["bias"] = parts.bias
    header = {"n_bits": store.n_bits, "n_codes": store.n_slots, "next_id": id_map.next_id, "lanes": LANES}
    write_arrays(path, arrays, kind=kind, header=header | {"encoder": parts.encoder} | dict(more))


def read(path: str | os.PathLike[str], *, kind: str) -> tuple[Parts, dict[str, Any]]:
    """Return what :func:`write` wrote as ``kind``, every number of the header held against the arrays.

    The header comes too; of what joined it as ``more`` nothing is checked.

    Raises
    ------
    FileNotFoundError : there is no such file.
    FileFormatError : not such a file, or its parts contradict each other.
    """
    arrays, header = read_arrays(path, kind=kind)
    n_codes = check_header(header, path)
    planes = check_planes(arrays, -(-n_codes // LANES), header, path)
    ids, bias = check_ids(arrays, header, path), check_bias(arrays, header, path)
    store = PlaneStore.from_arrays(planes, all_live(n_codes), n_codes)
    id_map = IdMap(n_codes, ids=ids, next_id=header["next_id"])
    return Parts(store, id_map, bias, check_encoder(header, path)), header


def check_encoder(header: Mapping[str, Any], path: str | os.PathLike[str]) -> str | None:
    """Return the fingerprint of the encoder; None where the file names none, as files did before they kept it."""
    encoder = header.get("encoder")
    if not isinstance(encoder, str | None):
        refuse(path, f"its encoder must be a fingerprint; it is {encoder!r}")
    return encoder


def check_bias(
    arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any], path: str | os.PathLike[str]
) -> NDArray[np.float32] | None:
    """Return the biases of the codes, finite; None where there are none."""
    bias = arrays.get("bias")
    if bias is None:
        return None
    if bias.dtype != np.float32 or bias.shape != (header["n_codes"],):
        refuse(path, f"{header['n_codes']} codes need as many float32 biases; they are {bias.dtype} {bias.shape}")
    if not np.isfinite(bias).all():
        refuse(path, "biases must be finite")
    return bias


def check_header(header: Mapping[str, Any], path: str | os.PathLike[str]) -> int:
    """Return how many codes a file holds, once the numbers of its header agree."""
    ranges = {
        "n_bits": (1, MAX_BITS),
        "n_codes": (0, MAX_ID),
        "next_id": (0, MAX_ID + 1),
        "lanes": (LANES, LANES),
    }
    for key, (least, most) in ranges.items():
        value = header.get(key)
        if type(value) is not int or not least <= value <= most:
            refuse(path, f"{key} must be a whole number from {least} to {most}; it is {value!r}")
    if header["next_id"] < header["n_codes"]:
        refuse(path, f"{header['n_codes']} codes cannot have distinct ids under {header['next_id']}")
    return int(header["n_codes"])


def check_planes(
    arrays: Mapping[str, NDArray[Any]], n_blocks: int, header: Mapping[str, Any], path: str | os.PathLike[str]
) -> NDArray[np.uint64]:
    """Return the planes of ``n_blocks`` blocks, writable."""
    shape = (n_blocks, header["n_bits"], LANES // 64)
    planes = arrays.get("planes")
    if planes is None or planes.dtype != np.uint64 or planes.shape != shape:
        came = "missing" if planes is None else f"{planes.dtype} {planes.shape}"
        refuse(path, f"{header['n_codes']} codes need planes of uint64 {shape}; they are {came}")
    return np.require(planes, requirements=["C", "W"])


def check_ids(
    arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any], path: str | os.PathLike[str]
) -> NDArray[np.int64] | None:
    """Return the ids of the codes, distinct, writable; None where they count up from 0."""
    ids = arrays.get("ids")
    if ids is None:
        if header["next_id"] != header["n_codes"]:
            refuse(path, f"{header['n_codes']} codes without ids are followed by id {header['next_id']}")
        return None
    if ids.dtype != np.int64 or ids.shape != (header["n_codes"],):
        refuse(path, f"{header['n_codes']} codes need as many int64 ids; they are {ids.dtype} {ids.shape}")
    ordered = np.sort(ids)
    if ids.size and (ordered[0] < 0 or ordered[-1] >= header["next_id"] or np.any(ordered[1:] == ordered[:-1])):
        refuse(path, f"ids must be distinct and lie from 0 to {header['next_id'] - 1}")
    return np.require(ids, requirements=["C", "W"])


def refuse(path: str | os.PathLike[str], why: str) -> NoReturn:
    """Raise the error of a file whose parts contradict each other."""
    raise FileFormatError(f"{path} is not a sound index file: {why}. Write it again.")
