"""HAGCN's filters beside no graph, ITQ and LSH, on a small feature of MNIST, by a correct mAP.

    python benchmarks/quality/hagcn.py hagcn.toml hagcn-published.toml --data-dir DATA --out results/hagcn

Plans, looked for beside this file, are those of ``hammingway train``, all on one data set. The data go through the
principal components of the training rows first, as the published program too was given features: that is what the
command has no place for. Each run is one line of ``OUT/runs.jsonl``, and what stands there is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from hammingway import Codes, metrics
from hammingway.bench.data import open_data
from hammingway.bench.evaluate import make_hasher
from hammingway.bench.machine import describe_machine
from hammingway.bench.variants import VariantRun, read_training_plan
from hammingway.datasets.retrieval import RetrievalData
from hammingway.errors import TrainingError

HERE = Path(__file__).parent
RANK = 200  # of the published mAP
N_TUNING_QUERIES = 1000


def features(data: RetrievalData, n_components: int) -> RetrievalData:
    """Return the data as principal components of the training rows, over one deviation for all of them."""
    components = PCA(n_components, svd_solver="covariance_eigh").fit(data.training.astype(np.float64))
    training = components.transform(data.training)
    deviation = np.sqrt(np.mean(training**2))

    def mapped(rows: NDArray[Any]) -> NDArray[np.float32]:
        return (components.transform(rows) / deviation).astype(np.float32)

    return replace(data, queries=mapped(data.queries), database=mapped(data.database), training=mapped(data.training))


def within_training(data: RetrievalData) -> RetrievalData:
    """Return the training rows alone: the last of them as queries, the others as database and training part."""
    head, tail = slice(None, -N_TUNING_QUERIES), slice(-N_TUNING_QUERIES, None)
    parts = {"query": tail, "database": head, "training": head}
    return replace(
        data,
        queries=data.training[tail],
        database=data.training[head],
        training=data.training[head],
        **{
            f"{part}_{what}": getattr(data, f"training_{what}")[rows]
            for part, rows in parts.items()
            for what in ("ids", "labels")
        },
    )


def quality(queries: Codes, database: Codes, data: RetrievalData) -> dict[str, float]:
    """Return mAP over all and over the first 200 by class, and by the published program's relevance.

    That is the product of two class numbers being above zero, over the queries that have any: what it counts is
    whether both images are of any class but the first.
    """
    labels = data.query_labels, data.database_labels
    by_class = metrics.distance_counts(queries, database, labels)
    of_any_but_the_first = [np.stack([part > 0, np.zeros(len(part), bool)], axis=1) for part in labels]
    positive = metrics.distance_counts(queries, database, tuple(of_any_but_the_first))
    values = {
        "mAP@all": metrics.average_precision(by_class),
        f"mAP@{RANK}": metrics.average_precision_at(by_class, RANK),
        f"mAP@{RANK} hits only": metrics.average_precision_at_hits_only(by_class, RANK),
        f"mAP@{RANK} published relevance": metrics.average_precision_at_hits_only(positive, RANK),
    }
    return {name: metrics.mean_over_queries(one).mean for name, one in values.items()}


def measure(run: VariantRun, data: RetrievalData) -> dict[str, Any]:
    """Return what came of a run: its quality, or why there is none."""
    hasher = make_hasher(run.spec)
    started = time.process_time()
    try:
        hasher.fit(data.training)
    except TrainingError as error:
        return {"failed": str(error)}
    seconds = time.process_time() - started
    found = quality(hasher.encode(data.queries), hasher.encode(data.database), data)
    last = (getattr(hasher, "training_log_", None) or [{}])[-1]
    return {"quality": found, "processor_seconds": seconds, "steps": last.get("step"), "terms": last.get("terms")}


def known_runs(path: Path) -> Iterator[str]:
    if path.is_file():
        for line in path.read_text().splitlines():
            yield json.loads(line)["run_id"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plans", nargs="+", help="names of plans in this folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--part", choices=["all", "training"], default="all", help="'training': choose settings by it")
    parser.add_argument("--components", type=int, default=64)
    arguments = parser.parse_args()
    plans = [read_training_plan(HERE / name) for name in arguments.plans]
    data = open_data(plans[0].data, data_dir=arguments.data_dir)
    data = features(within_training(data) if arguments.part == "training" else data, arguments.components)
    facts = {"n_training": len(data.training), "n_queries": len(data.queries), "n_database": len(data.database)}
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "runs.jsonl"
    known = set(known_runs(path))
    runs = [run for plan in plans for run in plan.runs() if run.spec.run_id not in known]
    for run in sorted(runs, key=lambda run: run.spec.seed):  # so that one seed of everything comes first
        name = run.name.partition(",")[0]
        entry = {"run_id": run.spec.run_id, "name": name, "n_bits": run.spec.n_bits, "seed": run.spec.seed, **facts}
        entry |= {"params": run.spec.hasher.params, "components": arguments.components, **measure(run, data)}
        entry["machine"] = describe_machine()
        with path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        print(run.name, json.dumps(entry.get("quality", entry.get("failed"))), flush=True)


if __name__ == "__main__":
    main()
