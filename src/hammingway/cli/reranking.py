"""What ``hammingway search --rerank`` needs: the database's vectors, those of the queries, and a metric."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hammingway.cli.index_choice import read_ids
from hammingway.cli.printing import counted
from hammingway.cli.reading import open_vectors
from hammingway.errors import InvalidInputError, ShapeError
from hammingway.indexes import Originals, rerank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hammingway.cli.searching import Database, Queries, Wanted
    from hammingway.indexes import Reranked
    from hammingway.indexes.rerank import MetricName
    from hammingway.results import Neighbors, Scored

__all__ = ["RerankOptions", "Reranking"]


@dataclass(frozen=True, kw_only=True)
class RerankOptions:
    """What was typed.

    Parameters
    ----------
    depth : candidates a query to put in order; None: do not.
    originals, originals_key : file of the database's vectors, and which array of it.
    ids : file of the id of each of its rows.
    vectors : file of the queries' vectors, where the queries are codes.
    metric : what to rank by.
    """

    depth: int | None
    originals: Path | None
    originals_key: str | None
    ids: Path | None
    vectors: Path | None
    metric: MetricName

    def check(self, wanted: Wanted, model: Path | None) -> None:
        """Raise unless the options suit each other.

        Raises
        ------
        click.UsageError : one needs another that is missing, or contradicts it.
        """
        if self.depth is None:
            given = {"--originals": self.originals, "--originals-key": self.originals_key, "--ids": self.ids}
            for option, value in (given | {"--vectors": self.vectors}).items():
                if value is not None:
                    raise click.UsageError(f"{option} is for --rerank; add --rerank N, or leave {option} out.")
        elif wanted.k is None:
            raise click.UsageError("--radius counts bits; leave out --rerank.")
        elif self.depth < wanted.k:
            raise click.UsageError(
                f"--rerank is how many candidates a query are put in order, at least -k {wanted.k}; got {self.depth}."
            )
        elif self.originals is None:
            raise click.UsageError("--rerank puts candidates in order by their vectors; give --originals, their file.")
        elif model is None and self.vectors is None:
            raise click.UsageError(
                "--rerank needs the vectors of the queries; give --vectors, or --model with vectors."
            )

    def opened(
        self, database: Database, queries: Queries, *, key: str | None, n_threads: int | None
    ) -> Reranking | None:
        """Return what puts candidates in order; None where that was not asked for.

        Parameters
        ----------
        key : which array of the file of the queries' vectors holds them.

        Raises
        ------
        FileFormatError : a file holds no vectors, or is damaged.
        ShapeError, InvalidInputError : they do not fit the database or the queries.
        """
        if self.depth is None or self.originals is None:
            return None
        originals = self._originals(self.originals, database)
        vectors = queries.vectors if self.vectors is None else open_vectors(self.vectors, key=key)
        if vectors is None or len(vectors) != len(queries):
            rows = counted(0 if vectors is None else len(vectors), "row")
            raise ShapeError(f"{self.vectors} has {rows} for {counted(len(queries), 'query')}; give one a query.")
        depth = min(self.depth, len(database.index))
        return Reranking(depth=depth, originals=originals, vectors=vectors, metric=self.metric, n_threads=n_threads)

    def _originals(self, path: Path, database: Database) -> Originals:
        """Return the vectors of the database, each under its id."""
        vectors = open_vectors(path, key=self.originals_key)
        ids = database.row_ids
        if self.ids is not None:
            ids = read_ids(self.ids)
            if ids.shape != (len(vectors),):
                raise ShapeError(f"{self.ids} should hold an id a row of {path}, ({len(vectors)},); got {ids.shape}.")
        elif database.n_rows is not None and database.n_rows != len(vectors):
            raise ShapeError(
                f"{path} has {counted(len(vectors), 'row')} for {counted(database.n_rows, 'code')}; give the vectors "
                "that were encoded, or say by --ids which row holds which id."
            )
        originals = Originals(vectors, ids=ids)
        try:
            originals.rows_of(database.index.ids)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"{path} lacks vectors of the database ({str(error).partition(';')[0]}); give the vectors that were "
                "encoded, or say by --ids which row holds which id."
            ) from error
        return originals


@dataclass(frozen=True, kw_only=True, eq=False)
class Reranking:
    """How candidates are put in order.

    Parameters
    ----------
    depth : candidates a query.
    originals : vectors of the database.
    vectors : of the queries, (n_queries, d).
    metric, n_threads : as for :func:`hammingway.indexes.rerank`.
    """

    depth: int
    originals: Originals
    vectors: NDArray[Any]
    metric: MetricName
    n_threads: int | None

    def best(self, found: Neighbors | Scored, rows: slice, k: int) -> Reranked:
        """Return the ``k`` best of what was found for some rows of the queries."""
        vectors = self.vectors[rows]
        return rerank(found.ids, vectors, self.originals, k, metric=self.metric, n_threads=self.n_threads)
