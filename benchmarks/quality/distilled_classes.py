"""Distilled codes beside ITQ on images, which no setting was chosen by: nearest rows found, and classes kept together.

    python benchmarks/quality/distilled_classes.py --data-dir DATA
    python benchmarks/quality/distilled_classes.py --data-dir DATA --data mnist --bits 32 --breadth 3

Prints one Markdown row a run: the recall of the ten nearest by Euclidean distance in asymmetric search with scores of
8 bits, and in brackets by Hamming distance; the mean average precision by class label of a ranking of all rows, by the
query's float scores and by Hamming distance (expected over ties). Queries are the first of the official test images
and the database is the training images (digits: its only protocol). Seconds are of processor time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hammingway import FlatIndex, Hasher, datasets, metrics, registry

PROTOCOLS = {"digits": "digits", "mnist": "mnist-2", "cifar10": "cifar10-2"}
SHOWN = (10, 100)


def nearest(queries: NDArray[np.float32], database: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the k nearest rows of each query by Euclidean distance."""
    squares = np.square(database).sum(axis=1)
    distances = squares - 2 * (queries @ database.T)  # less the query's own square; whole numbers, so exact
    return np.argsort(distances, axis=1, kind="stable")[:, :k]


def scored_average_precision(
    scores: NDArray[np.float32], signs: NDArray[np.float32], same: NDArray[np.bool_]
) -> Iterator[float]:
    """Yield each query's average precision over all codes in the order of its scores."""
    for query, relevant in zip(scores, same, strict=True):
        hits = relevant[np.argsort(-(signs @ query), kind="stable")]
        places = np.flatnonzero(hits) + 1
        yield float(np.mean(np.arange(1, len(places) + 1) / places))


def row(data: datasets.RetrievalData, hasher: Hasher, truth: NDArray[np.int64]) -> str:
    """Fit, search and return the cells of one line, after those that name it."""
    started = time.process_time()
    hasher.fit(data.database)
    seconds = time.process_time() - started
    codes, scores = hasher.encode(data.database), hasher.project_queries(data.queries)
    asked, index = hasher.encode(data.queries), FlatIndex(hasher.n_bits_).add(codes)
    found = index.search_asymmetric(scores, SHOWN[-1]).ids, index.search(asked, SHOWN[-1]).ids
    recalls = [[float(np.mean(metrics.recall_at_k(ids, truth, k=k))) for ids in found] for k in SHOWN]
    labels = (data.query_labels, data.database_labels)
    counts = metrics.distance_counts(asked, codes, labels)
    same = labels[0][:, None] == labels[1]
    by_score = np.mean(list(scored_average_precision(scores, codes.to_signs().astype(np.float32), same)))
    cells = [f"{asymmetric:.3f} ({symmetric:.3f})" for asymmetric, symmetric in recalls]
    precisions = float(by_score), float(np.mean(metrics.average_precision(counts)))
    return " | ".join([*cells, *(f"{value:.3f}" for value in precisions), f"{seconds:.0f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="folder of local copies")
    parser.add_argument("--data", nargs="+", choices=list(PROTOCOLS), default=list(PROTOCOLS))
    parser.add_argument("--bits", type=int, nargs="+", default=[32])
    parser.add_argument("--breadth", type=float, nargs="+", default=[0, 1, 3], help="of the distilled codes")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--training-rows", type=int, default=20_000)
    arguments = parser.parse_args()
    recalls = " | ".join(f"r10@{k} (symmetric)" for k in SHOWN)
    print(f"| data | bits | hasher | {recalls} | mAP by score | mAP by distance | fit, CPU s |")
    print("|---|---:|---|" + "---:|" * 5)
    for name in arguments.data:
        where = None if name == "digits" else arguments.data_dir
        data = datasets.load(name, protocol=PROTOCOLS[name], data_dir=where)
        asked = slice(0, arguments.queries)
        data = replace(
            data,
            queries=data.queries[asked].astype(np.float32),
            database=data.database.astype(np.float32),
            query_labels=data.query_labels[asked],
            query_ids=None,
            database_ids=None,
            training_ids=None,
        )
        truth = nearest(data.queries, data.database, SHOWN[0])
        shared = {"random_state": 0, "max_training_rows": arguments.training_rows}
        hashers = [("itq", {}), *(("distilled", {"breadth": breadth}) for breadth in arguments.breadth)]
        for n_bits in arguments.bits:
            for hasher, options in hashers:
                made = registry.load("hashers", hasher)(n_bits, **shared, **options)
                label = " ".join([hasher, *(f"{key}={value:g}" for key, value in options.items())])
                print(f"| {name} | {n_bits} | `{label}` | {row(data, made, truth)} |", flush=True)


if __name__ == "__main__":
    main()
