"""What a collection costs to fill, open, change and keep: the tables of docs/benchmarks/collection.md.

    python benchmarks/collection.py --scratch FOLDER --out docs/benchmarks/collection.md

FOLDER needs 2 GB and a local disk. Without --out the tables are printed. Linux only: memory is that of
/proc/self/status in a fresh process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np

from hammingway import Codes, Collection
from hammingway.storage import atomic_writer

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
N_BIG, N_CHANGES = 10_000_000, 200
FILLS = [
    ("counting up", 64, 10_000, 1_000_000),
    ("counting up", 64, 100_000, 4_000_000),
    ("counting up", 256, 10_000, 1_000_000),
    ("counting up", 1024, 10_000, 400_000),
    ("random integers", 64, 10_000, 1_000_000),
    ("strings of 10", 64, 10_000, 500_000),
]
READER = """
import sys, time
from hammingway import Codes, Collection
import numpy as np
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) / 1024
before, start = resident(), time.perf_counter()
collection = Collection.open(sys.argv[1], read_only=True)
opened, start = time.perf_counter() - start, time.perf_counter()
query = Codes(np.zeros((1, 8), np.uint8), 64)
collection.search(query, 10)
first, start = time.perf_counter() - start, time.perf_counter()
collection.search(query, 10)
print(opened * 1e3, first * 1e3, (time.perf_counter() - start) * 1e3, resident() - before)
"""


def main() -> None:
    """Measure and print, or put the tables between the markers of a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        tables = "\n".join([*filling(Path(folder)), "", *changing(Path(folder))])
    if arguments.out is None:
        print(tables)
        return
    before, rest = arguments.out.read_text().split(BEGIN)
    with atomic_writer(arguments.out) as file:
        file.write(f"{before}{BEGIN}\n{tables}\n{END}{rest.split(END)[1]}".encode())


def filling(folder: Path) -> Iterator[str]:
    """Yield the table of durable additions, a row a kind of ids, width and batch."""
    yield (
        "| ids | bits | items a batch | items | thousand items a second | longest batch, s "
        "| bytes an item besides codes |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for number, (kind, n_bits, n_batch, n) in enumerate(FILLS):
        path = folder / f"fill{number}"
        seconds = fill(path, kind, n_bits=n_bits, n_batch=n_batch, n=n)
        with Collection.open(path, read_only=True) as collection:
            extra = (sum(file.stat().st_size for file in path.rglob("*")) - collection.stats().code_bytes) / n
        speed = n / sum(seconds) / 1e3
        yield f"| {kind} | {n_bits} | {n_batch} | {n} | {speed:.0f} | {max(seconds):.2f} | {extra:.1f} |"


def fill(path: Path, kind: str, *, n_bits: int, n_batch: int, n: int) -> list[float]:
    """Write a collection and return the seconds of each batch."""
    rng = np.random.default_rng(0)
    codes = Codes(rng.integers(0, 256, (n_batch, n_bits // 8), dtype=np.uint8), n_bits)
    numbers = rng.permutation(n) * 977
    names = [f"doc-{i:06}" for i in rng.permutation(n)] if kind == "strings of 10" else []
    seconds = []
    with Collection.create(path, n_bits=n_bits, id_type="string" if names else "integer") as collection:
        for start in range(0, n, n_batch):
            batch = slice(start, start + n_batch)
            ids = names[batch] if names else None if kind == "counting up" else numbers[batch]
            begun = time.perf_counter()
            collection.add(codes, ids=ids)
            seconds.append(time.perf_counter() - begun)
    return seconds


def changing(folder: Path) -> Iterator[str]:
    """Yield the table of single changes, opening and searching at N_BIG items of 64 bits."""
    path = folder / "big"
    fill(path, "counting up", n_bits=64, n_batch=100_000, n=N_BIG)
    yield f"| {N_BIG:,} codes of 64 bits | |"
    yield "|---|---:|"
    with Collection.open(path) as collection:
        code = Codes(np.zeros((1, 8), np.uint8), 64)
        deletions = [timed(lambda i=i: collection.delete([i * 37_000])) for i in range(N_CHANGES)]
        updates = [timed(lambda i=i: collection.upsert(code, ids=[i * 41_000 + 1])) for i in range(N_CHANGES)]
        yield f"| delete one id, durable, ms | {median(deletions):.1f} |"
        yield f"| replace one id, durable, ms | {median(updates):.1f} |"
    output = subprocess.run([sys.executable, "-c", READER, path], check=True, capture_output=True, text=True).stdout
    opened, first, second, megabytes = map(float, output.split())
    yield f"| open in a new process, ms | {opened:.0f} |"
    yield f"| its first search (checks every digest), ms | {first:.0f} |"
    yield f"| its second search, one query, ms | {second:.1f} |"
    yield f"| resident memory it added (codes: {N_BIG * 8 >> 20} MiB), MiB | {megabytes:.0f} |"
    with Collection.open(path) as collection:
        yield f"| compact, s | {timed(collection.compact) / 1e3:.1f} |"


def timed(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes, in milliseconds on the wall."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e3


if __name__ == "__main__":
    main()
