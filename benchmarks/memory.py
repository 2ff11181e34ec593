"""Resident memory of a FlatIndex at ten million codes, as the system counts it, beside the codes themselves.

Each case runs in a process of its own, which fills an index in portions and searches it. Run it with::

    python benchmarks/memory.py

Writes the table in docs/benchmarks/memory.md. Needs Linux, whose /proc tells the resident memory.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).parent.parent / "docs" / "benchmarks"
MARK = "<!-- written by benchmarks/memory.py -->"
SEED = 20261121
PORTION = 500_000
CASES = [
    {"n_bits": n_bits, "ids": ids, "portions": portions}
    for n_bits in (64, 256)
    for ids, portions in (("counted", "one"), ("counted", "many"), ("own", "one"), ("own, looked up", "one"))
]


def resident() -> int:
    """Return the bytes of this process that are in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def made(n: int, n_bits: int) -> np.ndarray:
    return np.random.default_rng(SEED).integers(0, 256, (n, n_bits // 8), dtype=np.uint8)


def grown(case: dict[str, Any], n: int) -> int:
    """Return by how many bytes this process grows when it holds and has searched an index of ``n`` codes."""
    from hammingway import Codes, FlatIndex

    n_bits = case["n_bits"]
    index = FlatIndex(n_bits, n_threads=1)
    index.add(Codes(made(600, n_bits), n_bits)).search(Codes(made(3, n_bits), n_bits), 10)
    before = resident()
    index = FlatIndex(n_bits, n_threads=1)
    step = n if case["portions"] == "one" else PORTION
    for start in range(0, n, step):
        size = min(step, n - start)
        ids = None if case["ids"] == "counted" else np.random.default_rng(SEED).permutation(size) + 2**40
        index.add(Codes(made(size, n_bits), n_bits), ids=ids)
    del ids
    index.search(Codes(made(3, n_bits), n_bits), 10)
    if case["ids"] == "own, looked up":
        index.reconstruct([2**40])
    return resident() - before


def line_of(case: dict[str, Any], n: int, bytes_grown: int) -> str:
    """Return the table's row of one case."""
    raw = case["n_bits"] // 8
    bound = 1.2 * raw + (0 if case["ids"] == "counted" else 12)
    return (
        f"| {case['n_bits']} | {case['ids']} | {case['portions']} | {raw} | **{bytes_grown / n:.2f}** | "
        f"{bytes_grown / n / raw:.2f} | {bound:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codes", type=int, default=10_000_000, help="codes in the index")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of memory.md")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case is not None:
        print(grown(json.loads(options.case), options.codes))
        return
    rows = []
    for case in CASES:
        command = [sys.executable, __file__, "--codes", str(options.codes), "--case", json.dumps(case)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append(line_of(case, options.codes, int(answer)))
        print(rows[-1], flush=True)
    head = (
        f"Run on {datetime.datetime.now(datetime.UTC).date().isoformat()}: {options.codes:,} codes.\n\n"
        "| bits | ids | added in portions | raw bytes a code | resident bytes a code | times raw | bound |\n"
        "|--:|---|---|--:|--:|--:|--:|\n"
    )
    page = options.out / "memory.md"
    page.write_text(page.read_text().partition(MARK)[0] + f"{MARK}\n\n{head}" + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
