"""The vectors of a run: a registered data set, or a file with queries held out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway import registry, storage
from hammingway.bench.spec import DataSpec
from hammingway.bench.store import DataFacts
from hammingway.datasets.formats import read_labels, read_vectors
from hammingway.datasets.named import DATA_VARIABLE, load
from hammingway.datasets.retrieval import RetrievalData, from_vectors
from hammingway.errors import ConfigError, InvalidInputError
from hammingway.progress import Progress

__all__ = ["data_facts", "hold_out", "open_data"]

_FILE_ONLY = ("key", "labels", "n_database")


def open_data(
    spec: DataSpec, *, data_dir: str | os.PathLike[str] | None = None, progress: Progress | None = None
) -> RetrievalData:
    """Return the queries, database and training rows that ``spec`` names.

    Parameters
    ----------
    spec : a registered name is loaded in its protocol; anything else is a file, or a folder of class folders, below
        the data folder.
    data_dir : the data folder; if not given, that of the environment variable ``HAMMINGWAY_DATA``; else files are
        looked for in the current folder, and registered data sets are downloaded.
    progress : told the images read, for a registered data set of images.

    Raises
    ------
    ConfigError : a setting for files was given to a registered data set, or the other way round.
    FileNotFoundError, FileFormatError : there is no such file, or it cannot be read as vectors.
    """
    if spec.dataset in registry.names("datasets"):
        for name in _FILE_ONLY:
            if getattr(spec, name) is not None:
                raise ConfigError(f"{name} is for files; the data set {spec.dataset!r} brings its own. Remove it.")
        data = load(spec.dataset, protocol=spec.protocol, data_dir=data_dir, progress=progress)
        return _fit_on_database(data) if spec.fit_on == "database" else data
    if spec.protocol is not None:
        raise ConfigError(f"protocol {spec.protocol!r} is for registered data sets; {spec.dataset!r} is a file.")
    folder = Path(data_dir or os.environ.get(DATA_VARIABLE) or ".")
    vectors = read_vectors(_vector_file(folder, spec.dataset), key=spec.key)
    labels = None if spec.labels is None else read_labels(folder / spec.labels)
    return hold_out(vectors, spec, labels=labels)


def hold_out(vectors: NDArray[Any], spec: DataSpec, *, labels: NDArray[np.int64] | None = None) -> RetrievalData:
    """Return ``vectors`` split at random into queries and database; hashers are fitted on the database.

    Parameters
    ----------
    vectors : (n, d).
    spec : ``n_queries``, ``n_database`` and ``split_seed`` of the split, as :class:`DataSpec` describes it.
    labels : int64 (n,), if there are any.

    Raises
    ------
    InvalidInputError : there are not enough rows.
    """
    if spec.n_database is None:
        return from_vectors(
            vectors, labels=labels, n_queries=spec.n_queries, seed=spec.split_seed, name=Path(spec.dataset).name
        )
    n = len(vectors)
    if spec.n_queries + spec.n_database > n:
        raise InvalidInputError(
            f"{spec.dataset} has {n} rows, too few for {spec.n_queries} queries and a database of {spec.n_database}; "
            "ask for fewer."
        )
    order = np.random.default_rng(spec.split_seed).permutation(n)
    parts = {"query": order[: spec.n_queries], "database": order[n - spec.n_database :]}
    parts["training"] = parts["database"]
    database = vectors[parts["database"]]
    return RetrievalData(
        name=Path(spec.dataset).name,
        protocol="permuted",
        queries=vectors[parts["query"]],
        database=database,
        training=database,
        **{f"{part}_ids": rows for part, rows in parts.items()},
        **{f"{part}_labels": None if labels is None else labels[rows] for part, rows in parts.items()},
        description=(
            f"{Path(spec.dataset).name}: the first {spec.n_queries} of {n} rows permuted by "
            f"numpy.random.default_rng({spec.split_seed}) are queries, the last {spec.n_database} are the "
            "database; no query is among them."
        ),
        training_description="The database is the training part, too.",
    )


def data_facts(data: RetrievalData) -> DataFacts:
    """Return the sizes and the digest of ``data`` for a record."""
    arrays = [data.queries, data.database, data.query_labels, data.database_labels, data.training_labels]
    if data.training is not data.database:
        arrays.append(data.training)
    return DataFacts(
        digest=_joint_digest(arrays),
        protocol=data.description,
        training=data.training_description,
        n_queries=len(data.queries),
        n_database=len(data.database),
        n_training=len(data.training),
        d=data.database.shape[1],
        vector_bytes=data.database.shape[1] * data.database.dtype.itemsize,
        labelled=data.query_labels is not None,
    )


def _joint_digest(arrays: Sequence[NDArray[Any] | None]) -> str:
    parts = ["" if array is None else storage.digest(array) for array in arrays]
    return storage.digest(np.frombuffer("\n".join(parts).encode(), np.uint8))


def _fit_on_database(data: RetrievalData) -> RetrievalData:
    return replace(
        data,
        training=data.database,
        training_labels=data.database_labels,
        training_ids=data.database_ids,
        training_description="Hashers are fitted on the whole database instead of the training rows.",
    )


def _vector_file(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.exists():
        known = ", ".join(registry.names("datasets"))
        raise FileNotFoundError(
            f"{path}: no such file, and no data set of that name (known: {known}). Check --data-dir."
        )
    return path
