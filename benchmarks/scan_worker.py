"""One contestant of the scan benchmark in a process of its own; needs NumPy and its library only.

Reads one JSON request a line on standard input and answers with one JSON line: ``load`` makes a
database from the seed, ``run`` times searches, ``digest`` hashes the distances found.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from typing import Any

import numpy as np


class Hammingway:
    def __init__(self) -> None:
        import hammingway
        from hammingway import kernels

        self.kernels = kernels
        self.about = {"version": hammingway.__version__, **kernels.info()}

    def load(self, database: np.ndarray, n_bits: int, threads: int) -> None:
        n_blocks = -(-len(database) // self.kernels.LANES)
        self.planes = np.zeros((n_blocks, n_bits, 8), dtype=np.uint64)
        self.live = np.zeros((n_blocks, 8), dtype=np.uint64)
        self.kernels.write_rows(self.planes, self.live, database, 0)
        self.threads = threads

    def search(self, queries: np.ndarray, k: int) -> np.ndarray:
        return self.kernels.top_k(self.planes, self.live, queries, k, n_threads=self.threads)[1]

    def clock_hz(self) -> float:
        from hammingway import _native

        return float(_native.measure_clock())


class Faiss:
    def __init__(self) -> None:
        import faiss

        self.faiss = faiss
        self.about = {"version": faiss.__version__, "options": faiss.get_compile_options().split()}

    def load(self, database: np.ndarray, n_bits: int, threads: int) -> None:
        self.faiss.omp_set_num_threads(threads)
        self.index = self.faiss.IndexBinaryFlat(n_bits)
        self.index.add(database)

    def search(self, queries: np.ndarray, k: int) -> np.ndarray:
        return self.index.search(queries, k)[0]


class Usearch:
    def __init__(self) -> None:
        import usearch
        from usearch import index

        self.module = index
        self.about = {"version": usearch.__version__}

    def load(self, database: np.ndarray, n_bits: int, threads: int) -> None:
        self.database, self.threads = database, threads

    def search(self, queries: np.ndarray, k: int) -> np.ndarray:
        found = self.module.search(
            self.database, queries, k, self.module.MetricKind.Hamming, exact=True, threads=self.threads
        )
        return found.distances


def make_codes(plan: dict[str, Any], n_bits: int, n: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the database, uint8 (n, n_bits / 8), and the queries, drawn the same way."""
    rng = np.random.default_rng([plan["seed"], n_bits])
    total = n + plan["n_queries"]
    if kind == "uniform":
        codes = rng.integers(0, 256, (total, n_bits // 8), dtype=np.uint8)
    else:
        centres = rng.integers(0, 256, (plan["n_centres"], n_bits // 8), dtype=np.uint8)
        flips = rng.random((total, n_bits), dtype=np.float32) < plan["flip_probability"]
        codes = centres[rng.integers(0, len(centres), total)] ^ np.packbits(flips, axis=1)
    return codes[:n], codes[n:]


def timed(contestant: Any, queries: np.ndarray, request: dict[str, Any]) -> float:
    """Return the mean seconds of one search of the whole batch, over at least ``round_seconds``.

    One thread is timed by the processor time it got, since a thread that others keep from running
    is not scanning; several threads by the clock on the wall, since waiting for each other counts.
    """
    clock = time.process_time if request["threads"] == 1 else time.perf_counter
    calls, start = 0, clock()
    while True:
        contestant.search(queries, request["k"])
        calls += 1
        seconds = clock() - start
        if seconds >= request["round_seconds"]:
            return seconds / calls


def serve(contestant: Any) -> None:
    """Answer requests until standard input ends."""
    print(json.dumps(contestant.about), flush=True)
    queries = np.zeros((0, 0), dtype=np.uint8)
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, Any] = {}
        if request["do"] == "load":
            database, queries = make_codes(request["plan"], request["n_bits"], request["n"], request["codes"])
            contestant.load(database[: request["keep"]], request["n_bits"], request["threads"])
        elif request["do"] == "run":
            if hasattr(contestant, "clock_hz"):
                answer["clock_hz"] = contestant.clock_hz()
            answer["seconds"] = timed(contestant, queries, request)
        else:
            distances = np.ascontiguousarray(contestant.search(queries, request["k"]), dtype=np.int32)
            answer["digest"] = hashlib.sha256(distances.tobytes()).hexdigest()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve({"hammingway": Hammingway, "faiss": Faiss, "usearch": Usearch}[sys.argv[1]]())
