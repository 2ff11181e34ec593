"""Asymmetric scoring: what it costs beside the symmetric scan of the same codes, and what it buys.

The plan is asymmetric.toml. One thread; symmetric scan and both asymmetric ones take turns, and times
are processor times. Before anything is timed the results are compared with the NumPy twin on a part
of the codes. Writes the tables into docs/benchmarks/asymmetric.md::

    python benchmarks/asymmetric.py --vectors debian_minilm.npy
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import os
import statistics
import time
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hammingway import ITQ, FlatIndex, kernels
from hammingway.indexes.query_weights import quantize_scores
from hammingway.kernels import Kernels, numpy_twin

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks" / "asymmetric.md"
MARK = "<!-- written by benchmarks/asymmetric.py -->"


def random_planes(rng: np.random.Generator, n_bits: int, database_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return uniform codes as full blocks, and their live planes. Random planes are planes of random codes."""
    n_blocks = database_bits // n_bits // kernels.LANES
    planes = rng.integers(0, 2**64, (n_blocks, n_bits, 8), dtype=np.uint64)
    return planes, np.full((n_blocks, 8), 2**64 - 1, np.uint64)


def contestants(
    backend: Kernels, planes: np.ndarray, live: np.ndarray, scores: np.ndarray, k: int
) -> dict[str, Callable[[], Any]]:
    """Return the three searches of one batch."""
    queries = np.packbits(scores > 0, axis=1, bitorder="little")
    weights = {bits: quantize_scores(scores, bits)[0] for bits in (8, 4)}
    return {
        "symmetric": lambda: backend.top_k(planes, live, queries, k, n_threads=1),
        "8 bits": lambda: backend.top_k_asymmetric(planes, live, weights[8], k, n_threads=1),
        "4 bits": lambda: backend.top_k_asymmetric(planes, live, weights[4], k, n_threads=1),
    }


def check(backend: Kernels, planes: np.ndarray, live: np.ndarray, scores: np.ndarray, k: int) -> None:
    """Exit unless the backend's results are the twin's on the first blocks, in a batch and alone."""
    part, alive = planes[:16], live[:16]
    for bits, n_queries in itertools.product((8, 4), (1, 12)):
        weights = quantize_scores(scores[:n_queries], bits)[0]
        found = backend.top_k_asymmetric(part, alive, weights, k, n_threads=1)
        expected = numpy_twin.top_k_asymmetric(part, alive, weights, k)
        if not all(np.array_equal(mine, twins) for mine, twins in zip(found, expected, strict=True)):
            raise SystemExit(f"{backend.name} and the NumPy twin differ at {scores.shape[1]} bits, {bits} bits a score")


def take_turns(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Return each call's processor seconds in every round, after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for i in range(rounds + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if i:
                seconds[name].append(time.process_time() - start)
    return seconds


def ratio(seconds: dict[str, list[float]], name: str) -> str:
    """Return the median of the rounds' ratios to the symmetric scan, and their range."""
    ratios = [a / b for a, b in zip(seconds[name], seconds["symmetric"], strict=True)]
    return f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}-{max(ratios):.2f})"


def batch_rows(plan: dict[str, Any], names: list[str]) -> Iterator[str]:
    yield "| kernel | bits | symmetric, G codes/s | 8 bits a score, times the cost | 4 bits a score, times the cost |"
    yield "|---|--:|--:|--:|--:|"
    for name in names:
        for n_bits in plan["widths"]:
            rng = np.random.default_rng([plan["seed"], n_bits])
            planes, live = random_planes(rng, n_bits, plan["database_bits"])
            scores = rng.standard_normal((plan["n_queries"], n_bits))
            check(kernels.backend(name), planes, live, scores, plan["k"])
            seconds = take_turns(contestants(kernels.backend(name), planes, live, scores, plan["k"]), plan["rounds"])
            compared = len(planes) * kernels.LANES * plan["n_queries"] / 1e9
            rate = compared / statistics.median(seconds["symmetric"])
            yield f"| {name} | {n_bits} | {rate:.2f} | {ratio(seconds, '8 bits')} | {ratio(seconds, '4 bits')} |"


def single_rows(plan: dict[str, Any], names: list[str]) -> Iterator[str]:
    yield "| kernel | bits | plain copy, GB/s | plain read | symmetric | 8 bits a score | 4 bits a score |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for n_bits in plan["single_widths"]:
        rng = np.random.default_rng([plan["seed"], n_bits])
        planes, live = random_planes(rng, n_bits, plan["single_database_bits"])
        target = np.empty_like(planes)
        for name in names:
            calls = contestants(kernels.backend(name), planes, live, rng.standard_normal((1, n_bits)), plan["k"])
            seconds = take_turns(
                {
                    "copy": partial(np.copyto, target, planes),
                    "read": partial(np.bitwise_or.reduce, planes.ravel()),
                    **calls,
                },
                plan["rounds"],
            )
            rates = [planes.nbytes / 1e9 / statistics.median(spent) for spent in seconds.values()]
            yield f"| {name} | {n_bits} | " + " | ".join(f"{rate:.1f}" for rate in rates) + " |"


def recall_rows(plan: dict[str, Any], vectors: Path) -> Iterator[str]:
    rows = np.load(vectors).astype(np.float32)
    order = np.random.default_rng(plan["permutation_seed"]).permutation(len(rows))
    queries, database = rows[order[: plan["n_recall_queries"]]], rows[order[-plan["n_database"] :]]
    truth = np.argsort(-(queries @ database.T), axis=1, kind="stable")[:, : plan["n_true"]]
    yield "| bits | symmetric | float scores | 8 bits a score | 4 bits a score |"
    yield "|--:|--:|--:|--:|--:|"
    for n_bits in plan["recall_widths"]:
        found: dict[str, list[tuple[float, float]]] = {}
        for seed in plan["hasher_seeds"]:
            hasher = ITQ(n_bits, random_state=seed).fit(database)
            codes, scores = hasher.encode(database), hasher.project(queries)
            index = FlatIndex(n_bits).add(codes)
            exact = np.argsort(-(scores @ codes.to_signs().T.astype(np.float32)), axis=1, kind="stable")[:, :100]
            results = {
                "symmetric": index.search(hasher.encode(queries), 100).ids,
                "float": exact,
                **{str(b): index.search_asymmetric(scores, 100, query_bits=b).ids for b in (8, 4)},
            }
            for name, ids in results.items():
                found.setdefault(name, []).append((recall(ids[:, :10], truth), recall(ids, truth)))
        cells = [" / ".join(f"{mean:.4f}" for mean in np.mean(pairs, axis=0)) for pairs in found.values()]
        yield f"| {n_bits} | " + " | ".join(cells) + " |"


def recall(ids: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean share of each query's true neighbours among ``ids``."""
    return float(np.mean([np.isin(true, found).mean() for found, true in zip(ids, truth, strict=True)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True, help="debian_minilm.npy")
    parser.add_argument("--plan", type=Path, default=HERE / "asymmetric.toml", help="the plan to run")
    parser.add_argument("--out", type=Path, default=PAGE, help="page whose tables are written")
    options = parser.parse_args()
    plan = tomllib.loads(options.plan.read_text())
    names = [name for name in plan["backends"] if name in kernels.available()]
    load = os.getloadavg()[0]
    info = kernels.info()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    parts = [
        f"Run on {today}: {info['machine']} ({', '.join(info['cpu_features'])}), {os.cpu_count()} cores, "
        f"load average {load:.1f} at the start; compiler {info['compiler']}.",
        "### A batch of queries\n\n" + "\n".join(batch_rows(plan, names)),
        "### One query, GB of codes a second\n\n" + "\n".join(single_rows(plan, names)),
        "### Recall, r10@10 / r10@100\n\n" + "\n".join(recall_rows(plan, options.vectors)),
    ]
    before = options.out.read_text().split(MARK)[0]
    options.out.write_text(f"{before}{MARK}\n\n" + "\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
