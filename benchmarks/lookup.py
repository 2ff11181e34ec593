"""Search by tables beside the scan: MultiIndex and FlatIndex on the same codes, interleaved, and TableIndex.

Every answer of both is compared before anything is timed. Queries go one at a time, one thread; each
is answered by both indexes before the next, in turns, so that a slow moment slows both, and timed by the
processor time it got. Run it with::

    python benchmarks/lookup.py

Writes docs/benchmarks/lookup.json and the table in lookup.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from lookup_table import measure_table, table_part
from scan import cpu_name

from hammingway import Codes, FlatIndex
from hammingway.indexes import MultiIndex
from hammingway.kernels import info

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs" / "benchmarks"
MARK = "<!-- written by benchmarks/lookup.py -->"


def codes_of(plan: dict[str, Any], case: dict[str, Any]) -> Codes:
    """Return the database and, after it, the queries: drawn alike."""
    rng = np.random.default_rng([plan["seed"], case["n_bits"], case["n_codes"]])
    n = case["n_codes"] + plan["n_queries"]
    if case["codes"] == "uniform":
        return Codes.from_bits(rng.integers(0, 2, (n, case["n_bits"]), dtype=np.uint8))
    centres = rng.integers(0, 2, (plan["n_centres"], case["n_bits"]), dtype=np.uint8)
    parts = []
    for start in range(0, n, 1 << 18):
        size = min(1 << 18, n - start)
        flipped = rng.random((size, case["n_bits"]), dtype=np.float32) < plan["flip_probability"]
        parts.append(Codes.from_bits(centres[rng.integers(0, len(centres), size)] ^ flipped))
    return Codes.concatenate(parts)


def questions(plan: dict[str, Any]) -> list[tuple[str, str, int, int]]:
    """Return (name, method, argument, queries a call) of everything that is timed."""
    alone = [(f"k = {k}", "search", k, 1) for k in plan["ks"]]
    alone += [(f"radius {radius}", "search_radius", radius, 1) for radius in plan["radii"]]
    return [*alone, (f"k = {plan['batch_k']}, batch", "search", plan["batch_k"], plan["batch"])]


def check_equal(flat: FlatIndex, multi: MultiIndex, queries: Codes, method: str, argument: int) -> None:
    """End the run unless both give the same ids and distances."""
    for one in (queries, *(queries[row : row + 1] for row in range(0, len(queries), 10))):
        expected, found = getattr(flat, method)(one, argument), getattr(multi, method)(one, argument)
        if not (np.array_equal(expected.ids, found.ids) and np.array_equal(expected.distances, found.distances)):
            sys.exit(f"{method}({argument}) differs from the scan")


def time_both(indexes: tuple[Any, Any], queries: Codes, method: str, argument: int, size: int) -> list[list[float]]:
    """Return the seconds a query of each index for all calls of one round, the indexes taking turns."""
    seconds: list[list[float]] = [[], []]
    for number, start in enumerate(range(0, len(queries), size)):
        part = queries[start : start + size]
        for which in (0, 1) if number % 2 else (1, 0):
            began = time.thread_time()  # both search on the calling thread
            getattr(indexes[which], method)(part, argument)
            seconds[which].append((time.thread_time() - began) / len(part))
    return seconds


def measure(plan: dict[str, Any], case: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the records of one database, one a question."""
    codes = codes_of(plan, case)
    database, queries = codes[: case["n_codes"]], codes[case["n_codes"] :]
    began = time.perf_counter()
    multi = MultiIndex(case["n_bits"], n_threads=1).add(database)
    build_seconds = time.perf_counter() - began
    flat = FlatIndex(case["n_bits"], n_threads=1)
    flat._store, flat._id_map = multi._store, multi._id_map  # one copy of the planes, as one index would have
    records = []
    for name, method, argument, size in questions(plan):
        check_equal(flat, multi, queries, method, argument)
        rounds = [time_both((flat, multi), queries, method, argument, size) for _ in range(plan["rounds"])]
        parts = [queries[start : start + size] for start in range(0, len(queries), size)]
        certificates = [getattr(multi, method)(part, argument).certificate for part in parts]
        records.append(
            {
                **case,
                "question": name,
                "flat_seconds": [statistics.median(one) for one, _ in rounds],
                "multi_seconds": [statistics.median(other) for _, other in rounds],
                "scan_share": float(np.mean(np.concatenate([each.by_scan for each in certificates]))),
                "probes": float(np.median(np.concatenate([each.probes for each in certificates]))),
                "candidates": float(np.median(np.concatenate([each.candidates for each in certificates]))),
                "bytes_a_code": [flat.size_bytes / len(flat), multi.size_bytes / len(multi)],
                "build_seconds": build_seconds,
                "load": os.getloadavg()[0],
            }
        )
        print(line_of(records[-1]), flush=True)
    return records


def line_of(record: dict[str, Any]) -> str:
    """Return the table's row of one record."""
    ratios = [flat / multi for flat, multi in zip(record["flat_seconds"], record["multi_seconds"], strict=True)]
    flat, multi = (statistics.median(record[name]) * 1e6 for name in ("flat_seconds", "multi_seconds"))
    return (
        f"| {record['codes']} | {record['n_bits']} | {record['n_codes']:,} | {record['question']} | {flat:.0f} | "
        f"{multi:.0f} | **{statistics.median(ratios):.2f}** ({min(ratios):.2f}-{max(ratios):.2f}) | "
        f"{record['scan_share']:.0%} | {record['probes']:.0f} | {record['candidates']:.0f} |"
    )


def page_part(result: dict[str, Any]) -> str:
    """Return what goes below the mark of lookup.md."""
    loads = [record["load"] for record in result["records"]]
    memory = {
        (record["codes"], record["n_bits"], record["n_codes"]): record["bytes_a_code"] for record in result["records"]
    }
    sizes = "; ".join(
        f"{n_bits} bits, {n:,} {codes}: {flat:.1f} and {multi:.1f}"
        for (codes, n_bits, n), (flat, multi) in memory.items()
    )
    head = (
        f"Run on {result['date']}: {result['cpu']}; kernel {result['kernel']['backend']}, "
        f"{result['kernel']['compiler']}; "
        f"load average {min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} cores.\n\n"
        "| codes | bits | database | question | scan, µs a query | MultiIndex, µs | times faster (rounds) | "
        "left to the scan | probes | candidates |\n|---|--:|--:|---|--:|--:|--:|--:|--:|--:|\n"
    )
    table = "\n".join(line_of(record) for record in result["records"])
    sizes = f"Bytes a code of the scan's index and of MultiIndex: {sizes}."
    return f"{head}{table}\n\n{sizes}\n\n{table_part(result['plan'], result['table_records'])}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", type=Path, default=HERE / "lookup.toml")
    parser.add_argument("--out", type=Path, default=DOCS)
    options = parser.parse_args()
    plan = tomllib.loads(options.plan.read_text())
    result = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": cpu_name(),
        "python": platform.python_version(),
        "kernel": info(),
        "plan": plan,
        "records": [record for case in plan["cases"] for record in measure(plan, case)],
        "table_records": [
            record for case in plan["table_cases"] for record in measure_table(plan, case, codes_of(plan, case))
        ],
    }
    (options.out / "lookup.json").write_text(json.dumps(result) + "\n")
    page = options.out / "lookup.md"
    page.write_text(page.read_text().partition(MARK)[0] + f"{MARK}\n\n{page_part(result)}")


if __name__ == "__main__":
    main()
