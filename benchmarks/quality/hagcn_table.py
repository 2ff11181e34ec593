"""Turn the runs of hagcn.py into the tables of docs/benchmarks/hagcn.md, and keep them beside it.

python benchmarks/quality/hagcn_table.py results/hagcn/runs.jsonl --tuning results/hagcn-tuning/runs.jsonl
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from hagcn import RANK
from tables import insert, line, mean_and_spread

from hammingway.storage import atomic_writer

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "hagcn.md"
WIDTHS = (16, 32, 64)

Run = dict[str, Any]


def read_runs(path: Path) -> list[Run]:
    """Return the runs of a file; one that failed ends the program, as a table must not leave it out silently."""
    runs = [json.loads(text) for text in path.read_text().splitlines()]
    for run in runs:
        if "failed" in run:
            raise SystemExit(f"{run['name']}, {run['n_bits']} bits, seed {run['seed']}: {run['failed']}")
    return runs


def by_name(runs: Sequence[Run], metrics: Sequence[str]) -> str:
    """Return one row a name, a column for each metric and width: the mean over seeds, and the deviation."""
    heads = [f"{metric}, {width} bits" for metric in metrics for width in WIDTHS]
    lines = [line(["codes", "seeds", *heads, "fit, CPU s"]), "|---|---:|" + "---:|" * (len(heads) + 1)]
    for name in dict.fromkeys(run["name"] for run in runs):
        own = [run for run in runs if run["name"] == name]
        cells = [
            mean_and_spread([run["quality"][metric] for run in own if run["n_bits"] == width])
            for metric in metrics
            for width in WIDTHS
        ]
        seeds = str(len({run["seed"] for run in own}))
        seconds = f"{mean(run['processor_seconds'] for run in own):.1f}"
        lines.append(line([name.replace("-", " "), seeds, *cells, seconds]))
    return "\n".join(lines)


def tuning(runs: Sequence[Run]) -> str:
    """Return one row a weight of the similarity loss and learning rate, one column a graph."""
    names = list(dict.fromkeys(run["name"] for run in runs))
    lines = [line(["similarity", "learning rate", *names]), "|---:|---:|" + "---:|" * len(names)]
    for similarity, rate in dict.fromkeys(_setting(run) for run in runs):
        found = [run["quality"]["mAP@all"] for run in runs if _setting(run) == (similarity, rate)]
        lines.append(line([f"{similarity:g}", f"{rate:g}", *(f"{value:.3f}" for value in found)]))
    return "\n".join(lines)


def _setting(run: Run) -> tuple[float, float]:
    """Return the weight of the similarity loss and the learning rate."""
    params = run["params"]
    return params["objective"]["similarity"], params["training"]["learning_rate"]


def facts(runs: Sequence[Run]) -> str:
    """Return what the runs were made on and with."""
    first, machine = runs[0], runs[0]["machine"]
    return (
        f"{first['n_training']:,} training rows of {first['components']} components, {first['n_queries']:,} queries, "
        f"{first['n_database']:,} database rows; {len(runs)} runs. {machine['cpu']}, one thread; hammingway "
        f"{machine['hammingway']}, torch {machine['torch']}, NumPy {machine['numpy']}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--tuning", type=Path, required=True)
    arguments = parser.parse_args()
    runs, chosen = read_runs(arguments.runs), read_runs(arguments.tuning)
    shown = ("mAP@all", f"mAP@{RANK} hits only")
    insert(PAGE, f"{by_name(runs, shown)}\n\n{facts(runs)}")
    insert(PAGE, by_name(runs, (f"mAP@{RANK} published relevance",)), name="relevance")
    insert(PAGE, f"{tuning(chosen)}\n\n{facts(chosen)}", name="tuning")
    for run in (*runs, *chosen):
        run.pop("machine")
    with atomic_writer(PAGE.with_suffix(".json")) as file:
        lines = {"runs": runs, "tuning": chosen}
        file.write((json.dumps(lines, separators=(",", ":")).replace('{"run_id"', '\n{"run_id"') + "\n").encode())


if __name__ == "__main__":
    main()
