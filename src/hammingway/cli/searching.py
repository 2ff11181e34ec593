"""Opening what is searched and searching it in parts, so that results stream and Ctrl-C is heard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hammingway.cli.progress_bar import progress_bar
from hammingway.cli.result_output import JSON_LINES
from hammingway.code_files import read_codes
from hammingway.codes import Codes
from hammingway.errors import CodeWidthError, FileFormatError, InvalidInputError
from hammingway.indexes import FlatIndex, IVFIndex, TableIndex
from hammingway.indexes.base import check_codes
from hammingway.indexes.loading import INDEX_KINDS
from hammingway.indexes.query_weights import check_prefix
from hammingway.progress import row_chunks
from hammingway.storage import read_kind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hammingway.cli.reranking import Reranking
    from hammingway.indexes import Reranked
    from hammingway.progress import Progress
    from hammingway.results import Neighbors, Ranges, Scored

__all__ = [
    "DEFAULT_K",
    "Database",
    "Queries",
    "Wanted",
    "check_asymmetric",
    "open_database",
    "open_queries",
    "open_scores",
    "queries_a_part",
    "search",
]

DEFAULT_K = 10
_MOST_QUERIES = 1024
_PART_BITS = 2**36  # compared before Ctrl-C is heard: about a second
_PART_PAIRS = 2**26  # that a radius may all return at once: under a gibibyte
_LIMITED: dict[str, tuple[str, type[FlatIndex | IVFIndex]]] = {
    "n_probe": ("ivf", IVFIndex),
    "max_probes": ("table", TableIndex),
    "max_candidates": ("table", TableIndex),
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What each query asks for: the ``k`` nearest codes or all within ``radius`` bits; one of them is None."""

    k: int | None
    radius: int | None

    @classmethod
    def from_options(cls, k: int | None, radius: int | None, out: Path | None) -> Wanted:
        """Return what the options ask for: 10 neighbours if neither is given.

        Raises
        ------
        click.UsageError : both were given, or results of differing length would go into an array.
        """
        if radius is None:
            return cls(k=DEFAULT_K if k is None else k, radius=None)
        if k is not None:
            raise click.UsageError("-k and --radius exclude each other; give one of them.")
        if out is not None and out.suffix.lower() != JSON_LINES:
            raise click.UsageError(f"--radius finds differing numbers a query; give --out a name in {JSON_LINES}.")
        return cls(k=None, radius=radius)


@dataclass(frozen=True, kw_only=True, eq=False)
class Database:
    """What is searched.

    Parameters
    ----------
    index : which tells the encoder of its codes if it is known.
    n_rows : codes in the file; None where it is that of an index, which has no rows.
    row_ids : the id of each of these rows; None where they are counted from 0.
    """

    index: FlatIndex | IVFIndex
    n_rows: int | None = None
    row_ids: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Queries:
    """What is searched for.

    Parameters
    ----------
    asked : codes, or scores (n_queries, n_bits) of all their bits or the first ones.
    vectors : that these come of, (n_queries, d); None where only codes were given.
    confidence : scores of the codes, (n_queries, n_bits), by which a table is probed; None for none.
    """

    asked: Codes | NDArray[np.float32]
    vectors: NDArray[Any] | None
    confidence: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.asked)


def open_database(path: Path, *, limits: Mapping[str, int | None], n_threads: int | None) -> Database:
    """Return the codes or the saved index at ``path``, ready to be searched.

    Parameters
    ----------
    limits : ``n_probe``, ``max_probes`` and ``max_candidates`` of a query; None for what the index was saved with.

    Raises
    ------
    FileFormatError : the file holds neither, or is damaged.
    click.UsageError : a limit was given that the index has not.
    """
    with progress_bar(f"loading {path.name}"):
        database = _open_database(path, n_threads)
    for name, limit in limits.items():
        if limit is None:
            continue
        kind, limited = _LIMITED[name]
        if not isinstance(database.index, limited):
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is for an index of the kind {kind}, and {path} is none; leave it out.")
        setattr(database.index, name, limit)
    return database


def open_queries(path: Path, database: Database, *, model: Path | None, key: str | None) -> Queries:
    """Return the queries at ``path``: codes, or vectors encoded by ``model``, for a table with their confidence.

    Raises
    ------
    FileFormatError : the file holds neither, or is damaged.
    CodeWidthError : codes of another width than the database's.
    InvalidInputError : they come of another encoder than the database's.
    """
    if model is None:
        if read_kind(path) is None:
            raise FileFormatError(f"{path} is no file of codes, or it is damaged; if it holds vectors, give --model.")
        stored = read_codes(path)
        check_codes(stored.codes, database.index.n_bits, what="queries")
        _check_same_encoder(stored.encoder, database, path)
        return Queries(stored.codes, None)
    from hammingway.cli.reading import open_vectors
    from hammingway.hashers import load_hasher

    hasher = load_hasher(model)
    _check_same_encoder(hasher.fingerprint(), database, model)
    X = open_vectors(path, key=key)
    with progress_bar("encoding") as progress:
        if isinstance(database.index, TableIndex):
            scores = hasher.project(X)
            return Queries(Codes.from_scores(scores), X, confidence=scores)
        return Queries(hasher.encode(X, progress=progress), X)


def check_asymmetric(wanted: Wanted, model: Path | None, out: Path | None, *, reranked: bool) -> None:
    """Raise unless the other options suit a ranking by scores, whose results are ``reranked`` or not.

    Raises
    ------
    click.UsageError : there is no hasher to give scores, or they would stand where distances do.
    """
    if model is None:
        raise click.UsageError("--asymmetric ranks by the scores of vectors; give --model, the hasher of the database.")
    if wanted.k is None:
        raise click.UsageError("--radius counts bits; leave out --asymmetric.")
    if out is not None and out.suffix.lower() == ".ibin" and not reranked:
        raise click.UsageError(
            "An .ibin file holds distances, not scores; give --out a name in .jsonl, .npy or .ivecs."
        )


def open_scores(
    path: Path, database: Database, *, model: Path, key: str | None, prefix_bits: int | None = None
) -> Queries:
    """Return the scores that ``model`` gives the vectors at ``path``.

    Parameters
    ----------
    prefix_bits : scores of the first so many bits alone; of all if None.

    Raises
    ------
    FileFormatError : a file holds something else, or is damaged.
    CodeWidthError : the model is of another width than the database.
    InvalidInputError : it is another encoder than the database's, or adds a bias that the database has not; or the
        codes have fewer bits than the prefix.
    """
    from hammingway.cli.reading import open_vectors
    from hammingway.hashers import load_hasher

    hasher = load_hasher(model)
    _check_same_encoder(hasher.fingerprint(), database, model)
    # An index without codes has no bias either, whatever it was built with.
    if hasher.has_bias and len(database.index) and not database.index.has_bias:
        raise InvalidInputError(
            f"{model} adds a bias to the scores of its codes, and the database has none; build it from the vectors "
            "with 'hammingway index --model'."
        )
    n_bits = database.index.n_bits
    n_scored = check_prefix(prefix_bits, n_bits)
    X = open_vectors(path, key=key)
    with progress_bar("projecting"):
        scores = hasher.project_queries(X)
    if scores.shape[1] != n_bits:
        raise CodeWidthError(f"{model} gives {scores.shape[1]} scores a query; the database has {n_bits} bits.")
    return Queries(scores[:, :n_scored], X)


def search(
    database: Database,
    queries: Queries,
    wanted: Wanted,
    *,
    query_bits: int = 8,
    reranking: Reranking | None = None,
    progress: Progress | None = None,
) -> Iterator[Neighbors | Ranges | Scored | Reranked]:
    """Yield the results of ``queries`` a part at a time, in order.

    Parameters
    ----------
    query_bits : 4 or 8, the bits a score is rounded to.
    reranking : how the nearest codes are put in order by their vectors; None: they are not.
    """
    index = database.index
    for rows in row_chunks(len(queries), queries_a_part(len(index), index.n_bits, wanted), progress):
        part = queries.asked[rows]
        by: dict[str, Any] = {} if queries.confidence is None else {"scores": queries.confidence[rows]}
        if wanted.radius is not None and isinstance(part, Codes):
            yield index.search_radius(part, wanted.radius, **by)
        elif wanted.k is not None:
            depth = wanted.k if reranking is None else max(wanted.k, reranking.depth)
            if isinstance(part, Codes):
                found: Neighbors | Scored = index.search(part, depth, **by)
            else:
                found = index.search_asymmetric(part, depth, query_bits=query_bits, prefix_bits=part.shape[1])
            yield found if reranking is None else reranking.best(found, rows, wanted.k)


def queries_a_part(n: int, n_bits: int, wanted: Wanted) -> int:
    """Return how many queries to search at once among ``n`` codes, so that Ctrl-C is heard and results fit memory."""
    n_queries = max(1, min(_MOST_QUERIES, _PART_BITS // (n_bits * max(1, n))))
    if wanted.radius is not None:
        n_queries = max(1, min(n_queries, _PART_PAIRS // max(1, n)))
    return n_queries


def _open_database(path: Path, n_threads: int | None) -> Database:
    kind = read_kind(path)
    if kind in INDEX_KINDS:
        return Database(index=INDEX_KINDS[kind].load(path, n_threads=n_threads))
    if kind is None:
        raise FileFormatError(
            f"{path} is neither a file of codes nor a saved index, or it is damaged; write it with 'hammingway encode'."
        )
    stored = read_codes(path)
    index = FlatIndex(stored.codes.n_bits, n_threads=n_threads).add(stored)
    return Database(index=index, n_rows=len(stored.codes), row_ids=stored.ids)


def _check_same_encoder(query_encoder: str | None, database: Database, source: Path) -> None:
    database_encoder = database.index.encoder
    if query_encoder is None or database_encoder is None:
        unknown = "the database" if database_encoder is None else str(source)
        click.echo(f"Note: {unknown} does not say which hasher made its codes; only the width is checked.", err=True)
    elif query_encoder != database_encoder:
        raise InvalidInputError(
            f"{source} encodes as {query_encoder}, the database was encoded as {database_encoder}: distances between "
            "them mean nothing; encode both with one fitted hasher."
        )
