"""The file of an IVFIndex: centres, and the blocks cell after cell as they are, so that loading never transposes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.indexes.cell_store import CellStore
from hammingway.indexes.flat_file import check_bias, check_encoder, check_header, check_ids, check_planes, refuse
from hammingway.kernels import LANES
from hammingway.storage import read_arrays, write_arrays

__all__ = ["KIND", "read", "write"]

KIND = "ivf-index"


def write(path: str | os.PathLike[str], cells: CellStore, *, encoder: str | None, more: Mapping[str, Any]) -> None:
    """Write a store without dead slots among its full ones, and who encoded it; ``more`` joins the header."""
    sizes = cells.sizes()
    blocks = cells.celled(cells.store.live).blocks
    slots = (blocks[:, None] * LANES + np.arange(LANES)).reshape(-1)
    slots = slots[cells.stored[slots] >= 0]
    arrays: dict[str, NDArray[Any]] = {
        "centres": cells.centre_rows(),
        "sizes": sizes,
        "reach": cells.reach_of_cells(),
        "planes": cells.store.planes[blocks],
        "ids": cells.stored[slots],
    }
    if cells.biases is not None:
        arrays["bias"] = cells.biases.of(slots)
    header = {"n_bits": cells.store.n_bits, "n_codes": cells.store.n_live, "next_id": cells.next_id, "lanes": LANES}
    write_arrays(path, arrays, kind=KIND, header=header | {"encoder": encoder} | dict(more))


def read(path: str | os.PathLike[str]) -> tuple[CellStore, str | None, dict[str, Any]]:
    """Return the cells, their encoder and the header that :func:`write` wrote; ``more`` is not checked.

    Raises
    ------
    FileNotFoundError : there is no such file.
    FileFormatError : not such a file, or its parts contradict each other.
    """
    arrays, header = read_arrays(path, kind=KIND)
    n_codes = check_header(header, path)
    sizes = _check_sizes(arrays, n_codes, path)
    planes = check_planes(arrays, int((-(-sizes // LANES)).sum()), header, path)
    ids = check_ids(arrays, header, path)
    if ids is None:
        refuse(path, "its codes have no ids")
    centres = _check_centres(arrays, len(sizes), header["n_bits"], path)
    reach = _check_reach(arrays, len(sizes), header["n_bits"], path)
    bias = check_bias(arrays, header, path)
    cells = CellStore.from_blocks(centres, planes, sizes, reach, ids, next_id=header["next_id"], bias=bias)
    return cells, check_encoder(header, path), header


def _check_sizes(arrays: Mapping[str, NDArray[Any]], n_codes: int, path: str | os.PathLike[str]) -> NDArray[np.int64]:
    sizes = arrays.get("sizes")
    if sizes is None or sizes.dtype != np.int64 or sizes.ndim != 1 or not len(sizes):
        refuse(path, "the cells' sizes must be int64 (n_cells,)")
    # Each is bounded before they are added up, so that no sum can wrap around.
    if sizes.min() < 0 or sizes.max() > n_codes or sum(sizes.tolist()) != n_codes:
        refuse(path, f"the sizes of the cells must add up to {n_codes} codes")
    return sizes


def _check_centres(
    arrays: Mapping[str, NDArray[Any]], n_cells: int, n_bits: int, path: str | os.PathLike[str]
) -> NDArray[np.uint8]:
    centres, shape = arrays.get("centres"), (n_cells, -(-n_bits // 8))
    if centres is None or centres.dtype != np.uint8 or centres.shape != shape:
        refuse(path, f"{n_cells} cells need centres of uint8 {shape}")
    if n_bits % 8 and np.any(centres[:, -1] >> (n_bits % 8)):
        refuse(path, f"a centre has a bit set past the {n_bits}th")
    return np.ascontiguousarray(centres)


def _check_reach(
    arrays: Mapping[str, NDArray[Any]], n_cells: int, n_bits: int, path: str | os.PathLike[str]
) -> NDArray[np.int32]:
    reach = arrays.get("reach")
    if reach is None or reach.dtype != np.int32 or reach.shape != (n_cells,):
        refuse(path, f"{n_cells} cells need as many int32 reaches")
    if reach.min() < -1 or reach.max() > n_bits:
        refuse(path, f"a cell's reach must lie from -1 to {n_bits}")
    return reach
