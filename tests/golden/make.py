"""Writes the collections of tests/golden/vN, N the present format version; run once a format version.

Usage: python tests/golden/make.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from hammingway import Codes, Collection, RandomHyperplanes

N_BITS = 20


def write(folder: Path, id_type: str) -> None:
    """Write one collection with a segment, dead places and recent writes, and what it answers beside it."""
    rng = np.random.default_rng(1)
    X = rng.integers(-20, 20, (40, 4))
    hasher = RandomHyperplanes(N_BITS, random_state=0).fit(X)
    ids = [f"item {i}" for i in range(40)] if id_type == "string" else [3 * i for i in range(40)]
    metadata = [{"section": "even" if i % 2 == 0 else "odd", "year": 2000 + i} if i % 5 else None for i in range(40)]
    with Collection.create(folder / id_type, encoder=hasher, id_type=id_type, originals="int8") as collection:
        collection.add(X[:30], ids=ids[:30], metadata=metadata[:30])
        collection.compact()
        collection.delete(ids[3:6])
        collection.add(X[30:], ids=ids[30:], metadata=metadata[30:])
        collection.upsert(X[38:], ids=ids[:2], metadata=[{"section": "new"}, None])
        collection.delete([ids[33]])
    (folder / f"{id_type}.json").write_text(json.dumps(answers(folder / id_type), indent=1) + "\n")


def answers(path: Path) -> dict[str, object]:
    """Return what a collection answers, as JSON holds it."""
    queries = Codes.from_bits(np.random.default_rng(2).integers(0, 2, (2, N_BITS)))
    with Collection.open(path) as collection:
        found = collection.search(queries, 40)
        chosen = collection.search_radius(queries, N_BITS, where={"section": "odd", "year": {"$gte": 2009}})
        present = [each for each in found.ids[0].tolist() if each not in (None, -1)]
        items = collection.get(present)
        return {
            "encoder": collection.encoder.fingerprint(),
            "damages": collection.verify(),
            "ids": found.ids.tolist(),
            "distances": found.distances.tolist(),
            "chosen": chosen.ids.tolist(),
            "codes": items.codes.packed.tolist(),
            "vectors": items.vectors.tolist(),
            "metadata": items.metadata,
        }


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir()
    for kind in ("integer", "string"):
        write(Path(sys.argv[1]), kind)
