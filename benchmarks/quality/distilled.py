"""Recall at equal bytes on text embeddings: distilled codes beside ITQ, queries kept as float scores.

    python benchmarks/quality/distilled.py debian_minilm.npy
    python benchmarks/quality/distilled.py debian_minilm.npy --bits 64 128 384 --hashers distilled --seeds 0 1 2
    python benchmarks/quality/distilled.py debian_minilm.npy --bits 384 --hashers distilled --prefixes 64 128 --nested

Prints one Markdown row a run, and one for each prefix. 1,000 queries, a database of 62,000 on which alone the codes are
fitted, truth the exact top 10 by inner product; codes searched by ``FlatIndex.search_asymmetric`` with scores of 8
bits, and in brackets by Hamming distance. No re-ranking. Times are processor seconds of the whole process, for the fit.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hammingway import Codes, FlatIndex, Hasher, metrics, registry

N_QUERIES, N_SKIPPED, SPLIT_SEED = 1000, 666, 1
N_TRUE, SHOWN = 10, (10, 100)


@dataclass(frozen=True)
class Data:
    """Queries and database, float32 of norm 1, and the rows that each query is to find, int64 (n_queries, 10)."""

    queries: NDArray[np.float32]
    database: NDArray[np.float32]
    true: NDArray[np.int64]


def split(vectors: NDArray[np.floating]) -> Data:
    """Return the parts of the protocol; the 666 rows between queries and database were for choosing settings."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(vectors))
    rows = vectors.astype(np.float32)
    queries, database = rows[order[:N_QUERIES]], rows[order[N_QUERIES + N_SKIPPED :]]
    return Data(queries, database, np.argsort(-(queries @ database.T), axis=1, kind="stable")[:, :N_TRUE])


def recalls(ids: NDArray[np.int64], true: NDArray[np.int64]) -> list[float]:
    """Return r10@10 and r10@100."""
    return [float(np.mean(metrics.recall_at_k(ids, true, k=k))) for k in SHOWN]


def rows(name: str, hasher: Hasher, data: Data, prefixes: Sequence[int], seconds: float) -> Iterator[str]:
    """Yield a line of the table for the first bits of each prefix, and one for the whole code."""
    database, queries = hasher.encode(data.database), hasher.encode(data.queries)
    scores = hasher.project_queries(data.queries)
    for n_bits in (*prefixes, hasher.n_bits_):
        first = FlatIndex(n_bits).add(first_bits(database, n_bits))
        found = [
            first.search_asymmetric(scores[:, :n_bits], SHOWN[-1]).ids,
            first.search(first_bits(queries, n_bits), SHOWN[-1]).ids,
        ]
        asymmetric, symmetric = (recalls(ids, data.true) for ids in found)
        cells = [f"{ours:.3f} ({other:.3f})" for ours, other in zip(asymmetric, symmetric, strict=True)]
        size = -(-n_bits // 8) if n_bits == hasher.n_bits_ else f"first {n_bits // 8} of {hasher.n_bits_ // 8}"
        yield f"| {size} | `{name}` | {hasher.random_state} | {' | '.join(cells)} | {seconds:.0f} |"


def first_bits(codes: Codes, n_bits: int) -> Codes:
    """Return codes of the first bits alone."""
    return codes if n_bits == codes.n_bits else Codes.from_bits(codes.unpack()[:, :n_bits])


def arguments_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what was typed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", type=Path, help="float (n, d) .npy, more than 1,676 rows of norm 1")
    parser.add_argument("--bits", type=int, nargs="+", default=[64, 128, 256, 384])
    parser.add_argument("--hashers", nargs="+", default=["itq", "distilled"], help="registry names")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the hashers")
    parser.add_argument("--prefixes", type=int, nargs="+", default=[], help="search by so many first bits too")
    parser.add_argument("--nested", action="store_true", help="train distilled codes for these prefixes")
    return parser.parse_args(words)


def main() -> None:
    arguments = arguments_of()
    data = split(np.load(arguments.vectors))
    columns = ["bytes", "hasher", "seed", "r10@10 (symmetric)", "r10@100 (symmetric)", "fit, CPU s"]
    print(f"| {' | '.join(columns)} |\n|---:|---|---:|---:|---:|---:|")
    for n_bits, name, seed in product(arguments.bits, arguments.hashers, arguments.seeds):
        prefixes = [width for width in arguments.prefixes if width < n_bits]
        nested = bool(arguments.nested and prefixes and name == "distilled")
        options = {"prefix_bits": prefixes} if nested else {}
        started = time.process_time()
        hasher = registry.load("hashers", name)(n_bits, random_state=seed, **options).fit(data.database)
        seconds = time.process_time() - started
        for line in rows(f"{name}, nested" if nested else name, hasher, data, prefixes, seconds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
