"""The field's named splits of a labelled image set into queries, training and database rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.datasets.retrieval import RetrievalData, seeded_order
from hammingway.errors import FileFormatError

__all__ = ["SPLIT_SEED", "Balanced", "Official", "Pool", "Protocol", "Split", "split_data"]

SPLIT_SEED = 0
"""Seed of every built-in split; a change of it would change every published number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """All images of a data set: the official training part first, then the official test part.

    Parameters
    ----------
    vectors : (n, d), one image a row.
    labels : int64 (n,), class numbers from 0.
    n_train : rows of the official training part.
    source : where the rows come from, for the description.
    """

    vectors: NDArray[Any]
    labels: NDArray[np.int64]
    n_train: int
    source: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Row numbers of a pool, each part ascending."""

    queries: NDArray[np.int64]
    training: NDArray[np.int64]
    database: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Balanced:
    """So many queries and training rows of every class, drawn from the whole pool with ``SPLIT_SEED``.

    Parameters
    ----------
    n_queries_per_class : queries of each class; they are in no other part.
    n_training_per_class : training rows of each class; None: the whole database is the training part.
    training_in_database : whether the training rows are searched too.
    """

    n_queries_per_class: int
    n_training_per_class: int | None
    training_in_database: bool

    def split(self, pool: Pool) -> Split:
        """Return the rows of each part.

        Raises
        ------
        FileFormatError : a class has too few images.
        """
        order = seeded_order(len(pool.labels), SPLIT_SEED)
        n_training = self.n_training_per_class or 0
        needed = self.n_queries_per_class + n_training + 1
        queries, training, rest = [], [], []
        for label in np.unique(pool.labels):
            rows = order[pool.labels[order] == label]
            if len(rows) < needed:
                raise FileFormatError(
                    f"class {label} of {pool.source} has {len(rows)} images; this protocol needs at least {needed}."
                )
            queries.append(rows[: self.n_queries_per_class])
            training.append(rows[self.n_queries_per_class : needed - 1])
            rest.append(rows[needed - 1 :])
        searched = [*rest, *training] if self.training_in_database else rest
        database = np.sort(np.concatenate(searched))
        learnt = database if self.n_training_per_class is None else np.sort(np.concatenate(training))
        return Split(queries=np.sort(np.concatenate(queries)), training=learnt, database=database)


@dataclass(frozen=True, kw_only=True)
class Official:
    """The official test images are the queries; the official training images are training and database."""

    def split(self, pool: Pool) -> Split:
        """Return the rows of each part."""
        rows = np.arange(len(pool.labels))
        return Split(queries=rows[pool.n_train :], training=rows[: pool.n_train], database=rows[: pool.n_train])


Protocol = Balanced | Official


def split_data(pool: Pool, protocol: Protocol, *, name: str, protocol_name: str) -> RetrievalData:
    """Return the experiment that ``protocol`` makes of ``pool``, with its sizes and overlap told."""
    split = protocol.split(pool)
    same = np.array_equal(split.training, split.database)
    database = pool.vectors[split.database]
    n_shared = len(np.intersect1d(split.training, split.database))
    n_leaked = len(np.intersect1d(split.training, split.queries))
    seed = f", class by class with seed {SPLIT_SEED}" if isinstance(protocol, Balanced) else " by the official split"
    return RetrievalData(
        name=name,
        protocol=protocol_name,
        queries=pool.vectors[split.queries],
        database=database,
        training=database if same else pool.vectors[split.training],
        query_labels=pool.labels[split.queries],
        database_labels=pool.labels[split.database],
        training_labels=pool.labels[split.training],
        query_ids=split.queries,
        database_ids=split.database,
        training_ids=split.training,
        description=(
            f"{name} from {pool.source}, protocol {protocol_name}: {len(split.queries)} queries "
            f"and {len(split.database)} database rows{seed}; 0 queries are in the database."
        ),
        training_description=(
            f"{len(split.training)} training rows; {n_leaked} of them are queries, {n_shared} are in the database."
        ),
    )
