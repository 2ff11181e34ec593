"""What a collection costs to fill, open, change and keep: the tables of docs/benchmarks/collection.md.

    python benchmarks/collection.py --scratch FOLDER --out docs/benchmarks/collection.md

FOLDER needs 2 GB and a local disk. Without --out the tables are printed. Linux only: memory is that of
/proc/self/status in a fresh process.
"""

from __future__ import annotations

import argparse
import shutil
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
KINDS = {
    "counting up": lambda numbers: None,
    "random integers": lambda numbers: numbers * 977,
    "strings of 12": lambda numbers: [f"doc-{number:08}" for number in numbers.tolist()],
}
"""What ids are, from distinct numbers in any order."""
FILLS = [
    ("counting up", 64, 10_000, 1_000_000),
    ("counting up", 64, 100_000, 4_000_000),
    ("counting up", 256, 10_000, 1_000_000),
    ("counting up", 1024, 10_000, 400_000),
    ("random integers", 64, 10_000, 1_000_000),
    ("strings of 12", 64, 10_000, 1_000_000),
    ("strings of 12", 64, 100_000, 4_000_000),
]
SIZES = (1_000_000, 10_000_000)
N_CHANGES = 200
EXTRA_BYTES = {"counting up": 0, "random integers": 12, "strings of 12": 12}
"""Bytes an item that may be resident besides 1.2 times the codes."""
READER = """
import sys, time
from statistics import median
from hammingway import Codes, Collection
import numpy as np
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) / 1024
queries = Codes(np.random.default_rng(1).integers(0, 256, (100, 8), dtype=np.uint8), 64)
before, start = resident(), time.perf_counter()
collection = Collection.open(sys.argv[1], read_only=True)
seconds = [time.perf_counter() - start]
for i in range(100):
    start = time.perf_counter()
    collection.search(queries[[i]], 10)
    seconds.append(time.perf_counter() - start)
print(seconds[0] * 1e3, seconds[1] * 1e3, median(seconds[2:]) * 1e3, resident() - before)
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
        speed = n / sum(seconds) / 1e3
        yield (
            f"| {kind} | {n_bits} | {n_batch} | {n} | {speed:.0f} | {max(seconds):.2f} | {besides_codes(path):.1f} |"
        )
        shutil.rmtree(path)


def fill(path: Path, kind: str, *, n_bits: int, n_batch: int, n: int) -> list[float]:
    """Write a collection and return the seconds of each batch."""
    rng = np.random.default_rng(0)
    codes = Codes(rng.integers(0, 256, (n_batch, n_bits // 8), dtype=np.uint8), n_bits)
    numbers = rng.permutation(n)
    seconds = []
    with Collection.create(path, n_bits=n_bits, id_type="string" if "strings" in kind else "integer") as collection:
        for start in range(0, n, n_batch):
            ids = KINDS[kind](numbers[start : start + n_batch])
            begun = time.perf_counter()
            collection.add(codes, ids=ids)
            seconds.append(time.perf_counter() - begun)
    return seconds


def besides_codes(path: Path) -> float:
    """Return the bytes an item that a collection takes on disk besides its codes."""
    with Collection.open(path, read_only=True) as collection:
        stats = collection.stats()
    return (stats.disk_bytes - stats.code_bytes) / stats.n_items


def changing(folder: Path) -> Iterator[str]:
    """Yield the table of single changes, opening, searching and keeping, a row a kind of ids and size."""
    yield (
        "| ids | items of 64 bits | delete one id, ms | replace one id, ms | open, ms | first search, ms "
        "| later searches, ms | resident, MiB | of them allowed | bytes an item besides codes | compact, s |"
    )
    yield "|---|" + "---:|" * 10
    for kind in KINDS:
        for n in SIZES:
            yield f"| {kind} | {n:,} | " + " | ".join(changes(folder / "big", kind, n)) + " |"
            shutil.rmtree(folder / "big")


def changes(path: Path, kind: str, n: int) -> Iterator[str]:
    """Yield the cells of one row: medians of single, durable changes; then those of a new process."""
    fill(path, kind, n_bits=64, n_batch=100_000, n=n)
    extra = besides_codes(path)
    numbers = np.random.default_rng(2).permutation(n)[: 2 * N_CHANGES]
    ids = KINDS[kind](numbers)
    listed = list(numbers.tolist() if ids is None else ids)
    with Collection.open(path) as collection:
        code = Codes(np.zeros((1, 8), np.uint8), 64)
        yield f"{median(timed(lambda i=i: collection.delete([i])) for i in listed[:N_CHANGES]):.1f}"
        yield f"{median(timed(lambda i=i: collection.upsert(code, ids=[i])) for i in listed[N_CHANGES:]):.1f}"
    output = subprocess.run([sys.executable, "-c", READER, path], check=True, capture_output=True, text=True).stdout
    opened, first, later, megabytes = map(float, output.split())
    yield from (f"{opened:.0f}", f"{first:.0f}", f"{later:.1f}", f"{megabytes:.0f}")
    yield f"{(1.2 * 8 + EXTRA_BYTES[kind]) * n / 2**20:.0f}"
    yield f"{extra:.1f}"
    with Collection.open(path) as collection:
        yield f"{timed(collection.compact) / 1e3:.1f}"


def timed(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes, in milliseconds on the wall."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e3


if __name__ == "__main__":
    main()
