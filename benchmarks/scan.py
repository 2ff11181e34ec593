"""Exact Hamming scans: hammingway beside faiss's IndexBinaryFlat and usearch's exact search.

Each contestant runs in its own process (two OpenMP runtimes in one process disturb each other),
and rounds are interleaved, so that a slow minute of the machine slows all of them. Every distance
is compared before anything is timed. Run it with::

    python benchmarks/scan.py --python PEERS/bin/python

where PEERS is an environment with faiss-cpu and usearch; without ``--python`` the running one is
used (install the ``compare`` extra). Writes docs/benchmarks/scan.json and the table in scan.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs" / "benchmarks"
MARK = "<!-- written by benchmarks/scan.py -->"

# Vector instructions that count and compare 64 planes of one register of codes, and how many a core
# starts each cycle: 26 full adders and 8 more for the comparison (native/kernel.cpp).
BOUNDS = {"avx512vbmi": (512, 26 * 2 + 8, 2), "avx512": (512, 26 * 2 + 8, 2), "avx2": (256, 26 * 5 + 6 * 4 + 4, 3)}


class Worker:
    """A contestant's process."""

    def __init__(self, name: str, python: str, group: dict[str, Any]) -> None:
        self.name = name
        levels = {"HAMMINGWAY_SIMD": group.get("simd"), "FAISS_SIMD_LEVEL": group.get("faiss_simd")}
        forced = {variable: level for variable, level in levels.items() if level}
        self.process = subprocess.Popen(
            [python, str(HERE / "scan_worker.py"), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **forced},
        )
        self.about = self._read()

    def _read(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended early; see its message above (the compare extra installs the peers).")
        return json.loads(line)

    def ask(self, **request: Any) -> dict[str, Any]:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._read()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def measure(
    plan: dict[str, Any], workers: list[Worker], n_bits: int, case: dict[str, Any], keep: int
) -> dict[str, Any]:
    """Return the rounds of one case: seconds a batch for each worker, after checking that all agree."""
    n = plan["database_bits"] // n_bits
    queries = case.get("queries", plan["n_queries"])
    for worker in workers:
        worker.ask(
            do="load",
            plan=plan,
            n_bits=n_bits,
            n=n,
            keep=keep,
            queries=queries,
            codes=case["codes"],
            threads=case["threads"],
        )
    what = {"radius": radius_of(n_bits, case["share"])} if "share" in case else {"k": case["k"]}
    digests = {worker.name: worker.ask(do="digest", **what)["digest"] for worker in workers}
    if len(set(digests.values())) != 1:
        sys.exit(f"distances differ at {n_bits} bits, {case}: {digests}")
    rounds: dict[str, list[float]] = {worker.name: [] for worker in workers}
    clocks = []
    for i in range(plan["rounds"]):
        for worker in workers if i % 2 else reversed(workers):
            time.sleep(0.02)  # the other's idle threads may still be spinning
            answer = worker.ask(do="run", threads=case["threads"], round_seconds=plan["round_seconds"], **what)
            rounds[worker.name].append(answer["seconds"])
            if "clock_hz" in answer:
                clocks.append(answer["clock_hz"])
    return {
        "n_bits": n_bits,
        "n_codes": keep,
        **case,
        **what,
        "queries": queries,
        "seconds": rounds,
        "clock_hz": clocks,
        "load": os.getloadavg()[0],
    }


def radius_of(n_bits: int, share: float) -> int:
    """Return the least radius within which at least this share of uniform codes is expected."""
    radius, cells = 0, 1
    while cells / 2**n_bits < share:
        radius += 1
        cells += math.comb(n_bits, radius)
    return radius


def run(plan: dict[str, Any], python: str) -> dict[str, Any]:
    """Return all measurements and what they were made on."""
    about: dict[str, Any] = {}
    records = run_cases(plan, plan["cases"], plan["widths"], python, about, peer="faiss")
    records += run_cases(plan, plan["usearch_cases"], plan["usearch_widths"], python, about, peer="usearch")
    for group in plan["groups"]:
        records += run_cases(plan, group["cases"], group["widths"], python, about, peer="faiss", group=group)
    streams = [measure_stream(plan, threads) for threads in plan["stream_threads"]]
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": cpu_name(),
        "python": platform.python_version(),
        "about": about,
        "plan": plan,
        "records": records,
        "streams": streams,
    }


def run_cases(
    plan: dict[str, Any],
    cases: list[dict[str, Any]],
    widths: list[int],
    python: str,
    about: dict[str, Any],
    *,
    peer: str,
    group: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Return the records of some cases against one peer, and note in ``about`` what took part."""
    group = group or {}
    workers = [Worker("hammingway", sys.executable, group), Worker(peer, python, group)]
    for worker in workers:
        about.setdefault(worker.name, worker.about)
    records = []
    for n_bits in widths:
        n = plan["database_bits"] // n_bits
        keep = int(n * plan["usearch_share"]) if peer == "usearch" else n
        for case in cases:
            record = measure(plan, workers, n_bits, case, keep)
            record |= {"group": group.get("title", ""), "backend": workers[0].about["backend"]}
            records.append(record)
            print(line_of(plan, record), flush=True)
    for worker in workers:
        worker.close()
    return records


def measure_stream(plan: dict[str, Any], threads: int) -> dict[str, Any]:
    """Return the rounds of one query on a database far larger than the caches, and of reading its bytes."""
    worker = Worker("hammingway", sys.executable, {})
    worker.ask(do="stream", plan=plan, threads=threads)
    rounds = [worker.ask(do="pass", k=10) for _ in range(plan["rounds"])]
    worker.close()
    record = {"threads": threads, "bytes": plan["stream_bytes"], "n_bits": plan["stream_bits"], "rounds": rounds}
    print(stream_line(record), flush=True)
    return record


def stream_line(record: dict[str, Any]) -> str:
    """Return one row of the table of single queries."""
    gigabytes = record["bytes"] / 1e9
    scan = [gigabytes / r["scan"] for r in record["rounds"]]
    read = [gigabytes / r["read"] for r in record["rounds"]]
    copy = [gigabytes / r["copy"] for r in record["rounds"]]
    share = statistics.median(s / c for s, c in zip(scan, copy, strict=True))
    return (
        f"| {record['n_bits']} | {record['threads']} | {gigabytes:.2f} | {statistics.median(scan):.1f} | "
        f"{statistics.median(copy):.1f} | {statistics.median(read):.1f} | {share:.2f} |"
    )


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return f"{names[0]}, {len(names)} cores" if names else platform.processor() or platform.machine()


def rates(plan: dict[str, Any], record: dict[str, Any]) -> dict[str, list[float]]:
    """Return the rounds' rates of each contestant in 10^9 codes a second."""
    compared = record["n_codes"] * record["queries"] / 1e9
    return {name: [compared / seconds for seconds in rounds] for name, rounds in record["seconds"].items()}


def ratio_of(record: dict[str, Any]) -> tuple[float, float, float]:
    """Return the median, least and greatest of the rounds' ratios to the peer."""
    mine, other = record["seconds"]["hammingway"], next(v for k, v in record["seconds"].items() if k != "hammingway")
    ratios = [b / a for a, b in zip(mine, other, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def bits_a_cycle(plan: dict[str, Any], record: dict[str, Any]) -> float:
    """Return the median of the code bits compared in one cycle of one core."""
    mine = rates(plan, record)["hammingway"]
    return statistics.median(
        rate * 1e9 * record["n_bits"] / (clock * record["threads"])
        for rate, clock in zip(mine, record["clock_hz"], strict=True)
    )


def line_of(plan: dict[str, Any], record: dict[str, Any]) -> str:
    """Return one row of the table."""
    speed = rates(plan, record)
    peer = next(name for name in speed if name != "hammingway")
    median, least, greatest = ratio_of(record)
    mine, other = statistics.median(speed["hammingway"]), statistics.median(speed[peer])
    return (
        f"| {record['n_bits']} | {record['codes']} | {record['threads']} | {record['queries']} | {sought(record)} | "
        f"{peer} | {record['n_codes']:,} | {mine:.2f} | {other:.3f} | **{median:.1f}** ({least:.1f}-{greatest:.1f}) | "
        f"{bits_a_cycle(plan, record):.0f} |"
    )


def sought(record: dict[str, Any]) -> str:
    """Return what a query asked for: k, or the radius and the share of the codes within."""
    return f"radius {record['radius']} ({record['share']:.2g})" if "radius" in record else str(record["k"])


def table(result: dict[str, Any]) -> str:
    """Return the Markdown that goes into scan.md."""
    plan, about = result["plan"], result["about"]
    native = about["hammingway"]
    loads = [record["load"] for record in result["records"]]
    clocks = [hz for record in result["records"] for hz in record["clock_hz"]]
    width, instructions, ports = BOUNDS.get(native["backend"], (0, 1, 1))
    lines = [
        f"Run on {result['date']}: {result['cpu']} ({', '.join(native['cpu_features'])}); clock while running "
        f"{statistics.median(clocks) / 1e9:.2f} GHz ({min(clocks) / 1e9:.2f}-{max(clocks) / 1e9:.2f}), "
        "timed by a chain of additions; "
        f"load average {min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} cores; "
        f"Python {result['python']}; hammingway {native['version']}, kernel {native['backend']}, {native['compiler']}; "
        f"faiss-cpu {about['faiss']['version']} ({' '.join(about['faiss']['options'])}); "
        f"usearch {about['usearch']['version']}.",
        "",
    ]
    if width:
        lines += [
            f"Bound of the arithmetic: {instructions} vector instructions for 64 planes of {width} codes at {ports} a "
            f"cycle are {64 * width * ports / instructions:.0f} bits a cycle.",
            "",
        ]
    head = [
        "| bits | codes | threads | queries | k | peer | database | hammingway, G codes/s | peer, G codes/s | "
        "ratio (rounds) | bits a cycle and core |",
        "|--:|---|--:|--:|--:|---|--:|--:|--:|--:|--:|",
    ]
    for title in dict.fromkeys(record["group"] for record in result["records"]):
        order = sorted(
            (record for record in result["records"] if record["group"] == title),
            key=lambda r: (
                "usearch" in r["seconds"],
                r.get("k") != 10,
                r.get("k", r.get("share")),
                r["codes"] != "uniform",
                r["threads"],
            ),
        )
        lines += ([f"### {title}", ""] if title else []) + head + [line_of(plan, record) for record in order] + [""]
    lines += [
        "### One query, read from memory",
        "",
        "GB/s of codes; the copy reads and writes as many bytes on one thread, the read adds them up.",
        "",
        "| bits | threads | GB of codes | scan | copy | read | scan / copy (median of rounds) |",
        "|--:|--:|--:|--:|--:|--:|--:|",
        *(stream_line(record) for record in result["streams"]),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter that has faiss-cpu and usearch")
    parser.add_argument("--plan", type=Path, default=HERE / "scan.toml", help="the plan to run")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of scan.json and scan.md")
    options = parser.parse_args()
    result = run(tomllib.loads(options.plan.read_text()), options.python)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "scan.json").write_text(json.dumps(result) + "\n")
    page = options.out / "scan.md"
    before = page.read_text().split(MARK)[0] if page.exists() else "# Scan speed\n\n"
    page.write_text(f"{before}{MARK}\n\n{table(result)}\n")


if __name__ == "__main__":
    main()
