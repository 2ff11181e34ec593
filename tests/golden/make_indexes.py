"""Writes the saved indexes of a folder in tests/golden/indexes, one of each kind, and what they answer.

Usage: python tests/golden/make_indexes.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from hammingway import Codes, FlatIndex, IVFIndex, MultiIndex, TableIndex
from hammingway.indexes import load_index

N_BITS = 20
N_CODES = 700
ENCODER = "b2:0123456789abcdef0123456789abcdef"
KINDS = {
    "flat": FlatIndex(N_BITS),
    "ivf": IVFIndex(N_BITS, n_cells=3, n_probe=2, random_state=4),
    "multi": MultiIndex(N_BITS, n_tables=3),
    "table": TableIndex(N_BITS, bits=[1, 5, 7, 11], max_flips=2, max_probes=9, max_candidates=100),
}


def write(folder: Path, kind: str) -> None:
    """Write one index whose ids are not in order and some of whose codes were removed."""
    rng = np.random.default_rng(1)
    index = KINDS[kind].add(random_codes(rng, N_CODES), ids=3 * rng.permutation(N_CODES))
    index.remove(np.arange(0, 300, 30))
    index.encoder = ENCODER
    index.save(folder / f"{kind}.index")
    (folder / f"{kind}.json").write_text(json.dumps(answers(folder / f"{kind}.index")) + "\n")


def answers(path: Path) -> dict[str, object]:
    """Return what a saved index answers, as JSON holds it."""
    index = load_index(path)
    queries = random_codes(np.random.default_rng(2), 3)
    found, near = index.search(queries, 5), index.search_radius(queries, 4)
    return {
        "class": type(index).__name__,
        "ids": found.ids.tolist(),
        "distances": found.distances.tolist(),
        "near": near.ids.tolist(),
        "codes": index.reconstruct(index.ids[:5]).packed.tolist(),
        "next": index.add(queries).ids[-3:].tolist(),
    }


def random_codes(rng: np.random.Generator, n: int) -> Codes:
    """Return ``n`` codes."""
    return Codes.from_bits(rng.integers(0, 2, (n, N_BITS)))


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True)
    for name in KINDS:
        write(Path(sys.argv[1]), name)
