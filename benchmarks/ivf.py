"""Search in cells: IVFIndex beside FlatIndex and faiss's IndexBinaryIVF, recall and time.

Each library runs in its own process, on one thread, and rounds are interleaved. Run it with::

    python benchmarks/ivf.py --python PEERS/bin/python

where PEERS is an environment with faiss-cpu; without ``--python`` the running one is used (install the
``compare`` extra). Writes docs/benchmarks/ivf.json and the table in ivf.md.
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
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import scan

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs" / "benchmarks"
MARK = "<!-- written by benchmarks/ivf.py -->"


class Worker(scan.Worker):
    """A contestant's process."""

    def __init__(self, name: str, python: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [python, str(HERE / "ivf_worker.py"), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.about = self._read()


def recall(found: np.ndarray, true: np.ndarray) -> float:
    """Return the share of places filled by a code as near as the true k-th; ties count as found."""
    return float(np.mean(found <= true[:, -1:]))


def measure(plan: dict[str, Any], workers: list[Worker], case: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the records of one database: the scan, and each number of cells."""
    built = {worker.name: worker.ask(do="load", plan=plan, **case) for worker in workers}
    true = np.array(workers[0].ask(do="check", plan=plan, n_probe=0)["distances"])
    records = []
    for n_probe in (0, *plan["probes"]):
        those = workers if n_probe else workers[:1]
        checked = {worker.name: worker.ask(do="check", plan=plan, n_probe=n_probe) for worker in those}
        record = {
            **case,
            "n_probe": n_probe,
            "built": built,
            "share": {name: each["share"] for name, each in checked.items()},
            "recall": {name: recall(np.array(each["distances"]), true) for name, each in checked.items()},
            "batch": {name: [] for name in checked},
            "alone": {name: [] for name in checked},
            "load": os.getloadavg()[0],
        }
        for i in range(plan["rounds"]):
            for worker in those if i % 2 else reversed(those):
                for how in ("batch", "alone"):
                    answer = worker.ask(do="run", plan=plan, n_probe=n_probe, batch=how == "batch")
                    record[how][worker.name].append(answer["seconds"])
        records.append(record)
        print(line_of(record), flush=True)
    return records


def line_of(record: dict[str, Any]) -> str:
    """Return the table's row of one record."""

    def side(name: str) -> list[str]:
        if name not in record["recall"]:
            return ["", "", "", ""]
        batch, alone = (statistics.median(record[how][name]) * 1e6 for how in ("batch", "alone"))
        return [f"{record['share'][name]:.2%}", f"{record['recall'][name]:.3f}", f"{batch:.1f}", f"{alone:.0f}"]

    name = str(record["n_probe"]) if record["n_probe"] else "scan"
    cells = [f"{record['n_codes']:,}", f"{record['n_cells']:,}", name, *side("hammingway"), *side("faiss")]
    return f"| {' | '.join(cells)} |"


def page_part(result: dict[str, Any]) -> str:
    """Return what goes below the mark of ivf.md."""
    about = result["about"]
    loads = [record["load"] for record in result["records"]]
    head = (
        f"Run on {result['date']}: {result['cpu']}; kernel {about['hammingway']['backend']}, "
        f"{about['hammingway']['compiler']}; faiss-cpu {about['faiss']['version']}; "
        f"load average {min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} cores.\n\n"
        "| codes | cells | cells probed | compared | recall@10 | µs a query, batch | µs, alone | faiss: compared "
        "| recall@10 | µs, batch | µs, alone |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
    )
    table = "\n".join(line_of(record) for record in result["records"])
    builds = {record["n_codes"]: record["built"] for record in result["records"]}
    notes = [
        f"{n:,} codes: built in {built['hammingway']['build_seconds']:.0f} s (faiss "
        f"{built['faiss']['build_seconds']:.0f} s), {built['hammingway']['bytes_a_code']:.1f} bytes a code."
        for n, built in builds.items()
    ]
    return f"{head}{table}\n\n" + "\n".join(notes) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter that has faiss-cpu")
    parser.add_argument("--plan", type=Path, default=HERE / "ivf.toml", help="the plan to run")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of ivf.json and ivf.md")
    options = parser.parse_args()
    plan = tomllib.loads(options.plan.read_text())
    workers = [Worker("hammingway", sys.executable), Worker("faiss", options.python)]
    result = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": scan.cpu_name(),
        "python": platform.python_version(),
        "about": {worker.name: worker.about for worker in workers},
        "plan": plan,
        "records": [record for case in plan["cases"] for record in measure(plan, workers, case)],
    }
    for worker in workers:
        worker.close()
    (options.out / "ivf.json").write_text(json.dumps(result) + "\n")
    page = options.out / "ivf.md"
    page.write_text(page.read_text().partition(MARK)[0] + f"{MARK}\n\n{page_part(result)}")


if __name__ == "__main__":
    main()
