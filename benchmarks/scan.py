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
BOUNDS = {"avx512": (512, 26 * 2 + 8, 2), "avx2": (256, 26 * 5 + 6 * 4 + 4, 3)}


class Worker:
    """A contestant's process."""

    def __init__(self, name: str, python: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [python, str(HERE / "scan_worker.py"), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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
    for worker in workers:
        worker.ask(do="load", plan=plan, n_bits=n_bits, n=n, keep=keep, codes=case["codes"], threads=case["threads"])
    digests = {worker.name: worker.ask(do="digest", k=case["k"])["digest"] for worker in workers}
    if len(set(digests.values())) != 1:
        sys.exit(f"distances differ at {n_bits} bits, {case}: {digests}")
    rounds: dict[str, list[float]] = {worker.name: [] for worker in workers}
    clocks = []
    for i in range(plan["rounds"]):
        for worker in workers if i % 2 else reversed(workers):
            time.sleep(0.02)  # the other's idle threads may still be spinning
            answer = worker.ask(do="run", k=case["k"], threads=case["threads"], round_seconds=plan["round_seconds"])
            rounds[worker.name].append(answer["seconds"])
            if "clock_hz" in answer:
                clocks.append(answer["clock_hz"])
    return {
        "n_bits": n_bits,
        "n_codes": keep,
        **case,
        "seconds": rounds,
        "clock_hz": clocks,
        "load": os.getloadavg()[0],
    }


def run(plan: dict[str, Any], python: str) -> dict[str, Any]:
    """Return all measurements and what they were made on."""
    workers = {
        name: Worker(name, python if name != "hammingway" else sys.executable)
        for name in ("hammingway", "faiss", "usearch")
    }
    records = []
    for n_bits in plan["widths"]:
        n = plan["database_bits"] // n_bits
        for case in plan["cases"]:
            pair = [workers["hammingway"], workers["faiss"]]
            records.append(measure(plan, pair, n_bits, case, n))
            print(line_of(plan, records[-1]), flush=True)
        keep = int(n * plan["usearch_share"])
        for case in plan["usearch_cases"]:
            pair = [workers["hammingway"], workers["usearch"]]
            records.append(measure(plan, pair, n_bits, case, keep))
            print(line_of(plan, records[-1]), flush=True)
    for worker in workers.values():
        worker.close()
    about = {name: worker.about for name, worker in workers.items()}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {
        "date": today,
        "cpu": cpu_name(),
        "python": platform.python_version(),
        "about": about,
        "plan": plan,
        "records": records,
    }


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
    compared = record["n_codes"] * plan["n_queries"] / 1e9
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
        f"| {record['n_bits']} | {record['codes']} | {record['threads']} | {record['k']} | {peer} | "
        f"{record['n_codes']:,} | {mine:.2f} | {other:.3f} | **{median:.1f}** ({least:.1f}-{greatest:.1f}) | "
        f"{bits_a_cycle(plan, record):.0f} |"
    )


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
    lines += [
        "| bits | codes | threads | k | peer | database | hammingway, G codes/s | peer, G codes/s | ratio (rounds) | "
        "bits a cycle and core |",
        "|--:|---|--:|--:|---|--:|--:|--:|--:|--:|",
    ]
    order = sorted(
        result["records"],
        key=lambda r: ("usearch" in r["seconds"], r["k"] != 10, r["k"], r["codes"] != "uniform", r["threads"]),
    )
    return "\n".join(lines + [line_of(plan, record) for record in order])


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
