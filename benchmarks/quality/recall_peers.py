"""Recall at equal bytes of faiss's quantisers, on the rows, queries and truth of recall-per-byte.toml.

    PEERS/bin/python benchmarks/quality/recall_peers.py DATA/debian_minilm.npy docs/benchmarks/recall-per-byte.json

PEERS is an environment with NumPy and faiss-cpu, apart from ours: two OpenMP runtimes in one process disturb each
other. faiss runs on one thread. Quantisers whose figures are in the file already are not measured again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np

N_QUERIES, N_DATABASE, SPLIT_SEED = 1000, 62_000, 1
N_TRUE, SHOWN = 10, (10, 100)
FACTORIES = (
    *("RR64,LSH", "ITQ64,LSH", "PQ8", "OPQ8,PQ8", "OPQ16,PQ16x4"),
    *("RR128,LSH", "ITQ128,LSH", "PQ16", "OPQ16,PQ16"),
    *("RR256,LSH", "ITQ256,LSH", "PQ32", "OPQ32,PQ32"),
    *("RR384,LSH", "ITQ384,LSH", "PQ48", "OPQ48,PQ48", "RaBitQ"),
)


def split(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return queries and database, float32, as ``hammingway evaluate`` splits with the same seed."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(vectors))
    rows = vectors.astype(np.float32)
    return rows[order[:N_QUERIES]], rows[order[-N_DATABASE:]]


def measure(factory: str, queries: np.ndarray, database: np.ndarray, true: np.ndarray) -> dict[str, Any]:
    """Return bytes a code, both recalls and the processor seconds of training."""
    # LSH knows no inner product; on vectors of norm 1 the order is the same.
    metric = faiss.METRIC_L2 if factory.endswith("LSH") else faiss.METRIC_INNER_PRODUCT
    index = faiss.index_factory(database.shape[1], factory, metric)
    started = time.process_time()
    index.train(database)
    seconds = time.process_time() - started
    index.add(database)
    ids = index.search(queries, SHOWN[-1])[1]
    hits = (ids[:, :, None] == true[:, None, :]).any(axis=2)
    recalls = {f"r{N_TRUE}@{shown}": float(hits[:, :shown].sum() / true.size) for shown in SHOWN}
    return {"bytes": index.sa_code_size(), **recalls, "fit_processor_seconds": seconds, "faiss": faiss.__version__}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", type=Path, help="debian_minilm.npy")
    parser.add_argument("results", type=Path, help="JSON file, read and written")
    parser.add_argument("--factories", nargs="+", default=FACTORIES, help="what faiss.index_factory is to build")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    results = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    queries, database = split(np.load(arguments.vectors))
    similarity = queries @ database.T
    true = np.argsort(-similarity, axis=1, kind="stable")[:, :N_TRUE]
    for factory in arguments.factories:
        if factory not in results:
            results[factory] = measure(factory, queries, database, true)
            print(factory, results[factory], flush=True)
            arguments.results.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
