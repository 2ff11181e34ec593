"""One contestant of the benchmark of inverted files in a process of its own; needs NumPy and its library only.

Reads one JSON request a line on standard input and answers with one JSON line: ``load`` makes a
database from the seed and an index over it, ``check`` says what a search finds, ``run`` times it.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np


class Hammingway:
    """IVFIndex, and FlatIndex for the truth: with 0 cells to probe it is the scan that is asked."""

    def __init__(self) -> None:
        import hammingway
        from hammingway import kernels

        self.about = {"version": hammingway.__version__, **kernels.info()}

    def build(self, database: np.ndarray, n_bits: int, n_cells: int) -> dict[str, Any]:
        from hammingway import Codes, FlatIndex, IVFIndex

        self.codes, codes = Codes, Codes(database, n_bits)
        self.ivf = IVFIndex(n_bits, n_cells=n_cells, n_threads=1)
        self.flat = FlatIndex(n_bits, n_threads=1).add(codes)
        start = time.process_time()
        self.ivf.add(codes)
        seconds = time.process_time() - start
        return {"build_seconds": seconds, "bytes_a_code": self.ivf.size_bytes / len(codes)}

    def search(self, queries: np.ndarray, k: int, n_probe: int) -> np.ndarray:
        codes = self.codes(queries, self.ivf.n_bits)
        if not n_probe:
            return self.flat.search(codes, k).distances
        return self.ivf.search(codes, k, n_probe=n_probe).distances

    def share(self, queries: np.ndarray, k: int, n_probe: int) -> float:
        found = self.ivf.search(self.codes(queries, self.ivf.n_bits), k, n_probe=n_probe)
        return float(found.certificate.candidates.mean() / len(self.ivf))


class Faiss:
    """IndexBinaryIVF, trained on as many codes a cell and in as many rounds as IVFIndex."""

    def __init__(self) -> None:
        import faiss

        self.faiss = faiss
        self.about = {"version": faiss.__version__, "options": faiss.get_compile_options().split()}

    def build(self, database: np.ndarray, n_bits: int, n_cells: int) -> dict[str, Any]:
        self.faiss.omp_set_num_threads(1)
        self.quantizer = self.faiss.IndexBinaryFlat(n_bits)
        self.index = self.faiss.IndexBinaryIVF(self.quantizer, n_bits, n_cells)
        self.index.cp.niter, self.index.cp.max_points_per_centroid = 10, 128
        start = time.process_time()
        self.index.train(database)
        self.index.add(database)
        seconds = time.process_time() - start
        return {"build_seconds": seconds, "bytes_a_code": n_bits / 8 + 8}

    def search(self, queries: np.ndarray, k: int, n_probe: int) -> np.ndarray:
        self.index.nprobe = n_probe
        return self.index.search(queries, k)[0]

    def share(self, queries: np.ndarray, k: int, n_probe: int) -> float:
        stats = self.faiss.cvar.indexIVF_stats
        stats.reset()
        self.search(queries, k, n_probe)
        return float(stats.ndis / len(queries) / self.index.ntotal)


def make_codes(plan: dict[str, Any], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the database, uint8 (n, n_bits / 8), and the queries, drawn the same way."""
    rng = np.random.default_rng([plan["seed"], n])
    n_bytes = plan["n_bits"] // 8

    def flips(rows: int, halvings: int) -> np.ndarray:
        """Return bits that are set with probability ``2 ** -halvings``."""
        packed = rng.integers(0, 256, (rows, n_bytes), dtype=np.uint8)
        for _ in range(halvings - 1):
            packed &= rng.integers(0, 256, (rows, n_bytes), dtype=np.uint8)
        return packed

    n_centres = n // plan["codes_a_centre"]
    topics = flips(plan["n_topics"], 1)
    centres = topics[rng.integers(0, len(topics), n_centres)] ^ flips(n_centres, 2)
    total = n + plan["n_queries"]
    codes = centres[rng.integers(0, n_centres, total)] ^ flips(total, 3)
    return codes[:n], codes[n:]


class Session:
    """A contestant with its database and queries."""

    def __init__(self, contestant: Any) -> None:
        self.contestant = contestant
        self.queries = np.zeros((0, 0), np.uint8)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        plan = request["plan"]
        if request["do"] == "load":
            database, self.queries = make_codes(plan, request["n_codes"])
            return self.contestant.build(database, plan["n_bits"], request["n_cells"])
        k, n_probe = plan["k"], request["n_probe"]
        if request["do"] == "check":
            kth = self.contestant.search(self.queries, k, n_probe)
            share = self.contestant.share(self.queries, k, n_probe) if n_probe else 1.0
            return {"distances": kth.tolist(), "share": share}
        parts = [self.queries] if request["batch"] else [self.queries[[row]] for row in range(plan["n_alone"])]
        calls, start = 0, time.process_time()
        while True:
            for part in parts:
                self.contestant.search(part, k, n_probe)
            calls += sum(map(len, parts))
            seconds = time.process_time() - start
            if seconds >= plan["round_seconds"]:
                return {"seconds": seconds / calls}


if __name__ == "__main__":
    contestant = {"hammingway": Hammingway, "faiss": Faiss}[sys.argv[1]]()
    print(json.dumps(contestant.about), flush=True)
    session = Session(contestant)
    for line in sys.stdin:
        print(json.dumps(session.answer(json.loads(line))), flush=True)
