"""One contestant of the scan benchmark in a process of its own; needs NumPy and its library only.

Reads one JSON request a line on standard input and answers with one JSON line: ``load`` makes a
database from the seed, ``run`` times searches, ``digest`` hashes the distances found.
"""

from __future__ import annotations

import hashlib
import itertools
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

    def within(self, queries: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
        _, distances, limits = self.kernels.within(self.planes, self.live, queries, radius, n_threads=self.threads)
        return limits, distances

    def stream(self, n_bits: int, n_bytes: int, threads: int, seed: int) -> None:
        """Draw planes directly, which is the same as transposing uniform codes, only faster."""
        n_blocks = n_bytes // (n_bits * 64)
        self.planes = np.random.default_rng(seed).integers(0, 2**64, (n_blocks, n_bits, 8), dtype=np.uint64)
        self.live = np.full((n_blocks, 8), 2**64 - 1, dtype=np.uint64)
        self.copy = self.planes.copy()  # written once, so that no pass pays for new pages
        self.threads = threads

    def one_pass(self, k: int) -> dict[str, float]:
        """Return the seconds of one query, of a copy of the same bytes and of a sum of them."""
        query = np.random.default_rng(k).integers(0, 256, (1, self.planes.shape[1] // 8), dtype=np.uint8)
        works = {
            "scan": lambda: self.search(query, k),
            "copy": lambda: np.copyto(self.copy, self.planes),
            "read": lambda: self.planes.sum(),
        }
        seconds = {}
        for name, work in works.items():
            start = time.perf_counter()
            work()
            seconds[name] = time.perf_counter() - start
        return seconds

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
        self.index = self.faiss.IndexBinaryFlat(-(-n_bits // 8) * 8)  # faiss knows whole bytes only
        self.index.add(database)

    def search(self, queries: np.ndarray, k: int) -> np.ndarray:
        return self.index.search(queries, k)[0]

    def within(self, queries: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
        limits, distances, _ = self.index.range_search(queries, radius + 1)  # its radius is not included
        return limits, distances


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
    """Return the database, uint8 (n, ceil(n_bits / 8)), and the queries, drawn the same way.

    Two kinds are meant to hurt: ``equal`` repeats one code, so that all distances of a query tie, and
    ``descending`` asks one query again and again with the farthest code first, so that every code
    improves on what was found before.
    """
    rng = np.random.default_rng([plan["seed"], n_bits])
    total, row = n + plan["n_queries"], -(-n_bits // 8)
    if kind == "clustered":
        centres = rng.integers(0, 256, (plan["n_centres"], row), dtype=np.uint8)
        flips = rng.random((total, 8 * row), dtype=np.float32) < plan["flip_probability"]
        codes = centres[rng.integers(0, len(centres), total)] ^ np.packbits(flips, axis=1)
    else:
        codes = rng.integers(0, 256, (total, row), dtype=np.uint8)
    codes[:, -1] &= 0xFF >> (8 * row - n_bits)  # pad bits are zero
    if kind == "equal":
        codes[:n] = codes[0]
    elif kind == "descending":
        codes[n:] = codes[n]
        distances = np.bitwise_count(codes[:n] ^ codes[n]).sum(axis=1, dtype=np.int64)
        codes[:n] = codes[np.argsort(-distances, kind="stable")]
    return codes[:n], codes[n:]


def ask(contestant: Any, queries: np.ndarray, request: dict[str, Any]) -> Any:
    """Return what one search finds: by radius where the request has one, else the k nearest."""
    if "radius" in request:
        return contestant.within(queries, request["radius"])
    return contestant.search(queries, request["k"])


def digest(contestant: Any, queries: np.ndarray, request: dict[str, Any]) -> str:
    """Return a digest of the distances found, those within a radius in ascending order for each query."""
    found = ask(contestant, queries, request)
    if "radius" in request:
        limits, distances = found
        found = np.concatenate([np.sort(distances[a:b]) for a, b in itertools.pairwise(limits)])
    return hashlib.sha256(np.ascontiguousarray(found, dtype=np.int32).tobytes()).hexdigest()


def timed(contestant: Any, queries: np.ndarray, request: dict[str, Any]) -> float:
    """Return the mean seconds of one search of the whole batch, over at least ``round_seconds``.

    One thread is timed by the processor time it got, since a thread that others keep from running
    is not scanning; several threads by the clock on the wall, since waiting for each other counts.
    """
    clock = time.process_time if request["threads"] == 1 else time.perf_counter
    calls, start = 0, clock()
    while True:
        ask(contestant, queries, request)
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
            queries = queries[: request["queries"]]
            contestant.load(database[: request["keep"]], request["n_bits"], request["threads"])
        elif request["do"] == "stream":
            plan = request["plan"]
            contestant.stream(plan["stream_bits"], plan["stream_bytes"], request["threads"], plan["seed"])
        elif request["do"] == "pass":
            answer = contestant.one_pass(request["k"])
        elif request["do"] == "run":
            if hasattr(contestant, "clock_hz"):
                answer["clock_hz"] = contestant.clock_hz()
            answer["seconds"] = timed(contestant, queries, request)
        else:
            answer["digest"] = digest(contestant, queries, request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve({"hammingway": Hammingway, "faiss": Faiss, "usearch": Usearch}[sys.argv[1]]())
