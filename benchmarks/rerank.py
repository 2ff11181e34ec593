"""What re-ranking by the originals buys and costs: the tables of docs/benchmarks/rerank.md.

    python benchmarks/rerank.py --vectors debian_minilm.npy --scratch FOLDER --out docs/benchmarks/rerank.md

FOLDER needs 6.2 GB for a file of random vectors, which is written once and kept. Linux only: pages are dropped
from the cache by posix_fadvise and bytes read are those of /proc/self/io. Without --out the tables are printed.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.bench.truth import exact_neighbors
from hammingway.hashers import ITQ
from hammingway.indexes import FlatIndex, Originals, rerank
from hammingway.metrics import recall_at_k
from hammingway.storage import atomic_writer

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
N_QUERIES, N_DATABASE, N_CANDIDATES, K, REPEATS = 1000, 62_000, 100, 10, 5
FILE_ROWS, FILE_DIMS, FILE_QUERIES = 4_000_000, 768, 100


def main() -> None:
    """Measure both parts and print them, or put them between the markers of a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    tables = "\n".join([*in_memory(np.load(arguments.vectors)), "", *in_a_file(arguments.scratch / "originals.npy")])
    if arguments.out is None:
        print(tables)
        return
    before, rest = arguments.out.read_text().split(BEGIN)
    with atomic_writer(arguments.out) as file:
        file.write(f"{before}{BEGIN}\n{tables}\n{END}{rest.split(END)[1]}".encode())


def in_memory(vectors: NDArray[Any]) -> Iterator[str]:
    """Yield the table of recall and time by width and by type of the originals."""
    order = np.random.default_rng(1).permutation(len(vectors))
    queries = vectors[order[:N_QUERIES]].astype(np.float32)
    database = np.ascontiguousarray(vectors[order[-N_DATABASE:]])
    truth, _ = exact_neighbors(queries, database, K, metric="inner-product")
    scales = np.abs(database).max(axis=1).astype(np.float64) / 127
    int8 = np.rint(database / scales[:, np.newaxis]).astype(np.int8)
    kinds = {"float32": database.astype(np.float32), "float16": database, "int8": Originals(int8, scale=scales)}
    yield "| bits | r10@10 by code | r10@100 by code | originals | r10@10 re-ranked | processor ms a query |"
    yield "|---:|---:|---:|---|---:|---:|"
    for n_bits in (64, 128, 256):
        hasher = ITQ(n_bits, random_state=0).fit(database)
        candidates = FlatIndex(n_bits).add(hasher.encode(database)).search(hasher.encode(queries), N_CANDIDATES).ids
        by_code = [recall_at_k(candidates, truth, k=k).mean() for k in (K, N_CANDIDATES)]
        for name, originals in kinds.items():
            work = reranking(candidates, queries, originals, n_threads=1)
            recall = recall_at_k(work().ids, truth, k=K).mean()
            milliseconds = 1e3 * median(processor_seconds(work) for _ in range(REPEATS)) / N_QUERIES
            yield f"| {n_bits} | {by_code[0]:.3f} | {by_code[1]:.3f} | {name} | {recall:.3f} | {milliseconds:.2f} |"


def in_a_file(path: Path) -> Iterator[str]:
    """Yield the table of time and bytes read from a file that is not in the cache."""
    if not path.exists():
        write_random_vectors(path)
    rng = np.random.default_rng(1)
    queries = rng.standard_normal((FILE_QUERIES, FILE_DIMS)).astype(np.float32)
    candidates = rng.integers(0, FILE_ROWS, (FILE_QUERIES, N_CANDIDATES))
    yield "| 10,000 originals of a 6.1 GB file | threads | seconds, not cached | MB read | seconds, cached |"
    yield "|---|---:|---:|---:|---:|"
    for name, n_threads in (("query by query, NumPy", 1), *(("`rerank`", n) for n in (1, 2, 8))):
        runs = []
        for _ in range(3):
            drop_from_cache(path)
            # Mapped anew: the pages of an old map would stay.
            mapped = np.load(path, mmap_mode="r")
            work = plain(candidates, queries, mapped)
            if name == "`rerank`":
                work = reranking(candidates, queries, mapped, n_threads=n_threads)
            runs.append((*timed(work), timed(work)[0]))
            del mapped, work
        cold, read, warm = (median(column) for column in zip(*runs, strict=True))
        yield f"| {name} | {n_threads} | {cold:.2f} | {read / 1e6:.0f} | {warm:.2f} |"


def reranking(
    candidates: NDArray[np.int64], queries: NDArray[Any], originals: Any, *, n_threads: int
) -> Callable[[], Any]:
    return lambda: rerank(candidates, queries, originals, K, metric="inner-product", n_threads=n_threads)


def plain(candidates: NDArray[np.int64], queries: NDArray[Any], originals: NDArray[Any]) -> Callable[[], Any]:
    """Return what one writes first: gather each query's candidates as they come, multiply, sort."""

    def work() -> list[NDArray[np.int64]]:
        products = (originals[rows].astype(np.float32) @ query for rows, query in zip(candidates, queries, strict=True))
        return [rows[np.argsort(-scores)[:K]] for rows, scores in zip(candidates, products, strict=True)]

    return work


def timed(work: Callable[[], Any]) -> tuple[float, int]:
    """Return the seconds on the wall and the bytes read from storage."""
    before, start = bytes_read(), time.perf_counter()
    work()
    return time.perf_counter() - start, bytes_read() - before


def processor_seconds(work: Callable[[], Any]) -> float:
    """Return the seconds of processor time, which other users of the machine hardly change."""
    start = time.process_time()
    work()
    return time.process_time() - start


def bytes_read() -> int:
    """Return the bytes this process has caused to be read from storage."""
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counts["read_bytes"])


def drop_from_cache(path: Path) -> None:
    """Make the next read of ``path`` go to storage."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def write_random_vectors(path: Path) -> None:
    """Write float16 (FILE_ROWS, FILE_DIMS): one block of random numbers, rotated from block to block."""
    rows = 20_000
    block = np.random.default_rng(0).standard_normal((rows, FILE_DIMS)).astype(np.float16)
    mapped = np.lib.format.open_memmap(path, "w+", np.float16, (FILE_ROWS, FILE_DIMS))
    for number, start in enumerate(range(0, FILE_ROWS, rows)):
        mapped[start : start + rows] = np.roll(block, number, axis=1)
    mapped.flush()


if __name__ == "__main__":
    main()
