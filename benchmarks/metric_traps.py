"""How far wrong metrics move mAP@100 on scikit-learn's digits: the figures of docs/explanation/metrics.md.

300 queries and 1,497 database items, split by seed 0; ITQ fitted on the database with seed 0.
Run: python benchmarks/metric_traps.py
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from hammingway.codes import Codes
from hammingway.hashers import ITQ
from hammingway.metrics import (
    DistanceCounts,
    average_precision_at,
    average_precision_at_hits_only,
    distance_counts,
    mean_over_queries,
)

R = 100


def main() -> None:
    """Print the right and the wrong values at three widths, and for random codes."""
    images, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    images, digits = images[order], digits[order]
    labels = digits[:300], digits[300:]
    relevant = labels[0][:, np.newaxis] == labels[1]
    print(f"{'bits':>6} {'expected':>9} {'best':>6} {'worst':>6} {'half-dot':>9} {'hits only':>10}")
    for n_bits in (8, 16, 32):
        itq = ITQ(n_bits, random_state=0).fit(images[300:])
        queries, database = itq.encode(images[:300]), itq.encode(images[300:])
        counts = distance_counts(queries, database, labels)
        distances = (queries.unpack()[:, np.newaxis] != database.unpack()).sum(axis=2)
        half_dots = n_bits - queries.unpack().astype(np.int64) @ database.unpack().astype(np.int64).T
        print(
            f"{n_bits:>6} {map_at(counts):>9.3f} {in_order(distances, ~relevant, relevant):>6.3f} "
            f"{in_order(distances, relevant, relevant):>6.3f} {map_at(by_score(half_dots, relevant, n_bits)):>9.3f} "
            f"{mean_over_queries(average_precision_at_hits_only(counts, R)).mean:>10.3f}"
        )
    report_random_codes(labels)


def report_random_codes(labels: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
    """Print what random 32-bit codes score by equal class ids, and by class ids multiplied."""
    rng = np.random.default_rng(0)
    queries, database = (Codes.from_bits(rng.integers(0, 2, (len(part), 32))) for part in labels)
    equal = distance_counts(queries, database, labels)
    # A product of class ids is above 0 where both are: as if "above 0" were a label all of them share.
    above = tuple(np.stack([part > 0, part < 0], axis=1) for part in labels)
    multiplied = distance_counts(queries, database, (above[0], above[1]))
    print(f"random codes, equal ids: {map_at(equal):.3f}; ids multiplied: {map_at(multiplied):.3f}")


def map_at(counts: DistanceCounts) -> float:
    """Return mAP@R, tie-aware."""
    return mean_over_queries(average_precision_at(counts, R)).mean


def by_score(scores: NDArray[np.int64], relevant: NDArray[np.bool_], n_bits: int) -> DistanceCounts:
    """Return the counts of a ranking by whole scores from 0 to ``n_bits``, lowest first."""
    every = np.arange(n_bits + 1)[:, np.newaxis, np.newaxis]
    hits = ((scores == every) & relevant).sum(axis=2).T
    return DistanceCounts(hits, (scores == every).sum(axis=2).T)


def in_order(distances: NDArray[np.int64], last: NDArray[np.bool_], relevant: NDArray[np.bool_]) -> float:
    """Return mAP@R with each group of equals in one order: those marked ``last`` at its end."""
    order = np.lexsort((last, distances))[:, :R]
    flags = np.take_along_axis(relevant, order, axis=1)
    precisions = np.cumsum(flags, axis=1) / np.arange(1, R + 1) * flags
    return float(np.mean(precisions.sum(axis=1) / np.minimum(R, relevant.sum(axis=1))))


if __name__ == "__main__":
    main()
