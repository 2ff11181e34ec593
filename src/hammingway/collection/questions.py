"""What a search asks for, and its way from parts to ranked keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.code_files import StoredCodes
from hammingway.codes import Codes
from hammingway.collection.encoding import CodesOrVectors, Encoding
from hammingway.collection.kept_vectors import KeptVectors
from hammingway.collection.parts import Part, Snapshot
from hammingway.collection.remedies import Remedy
from hammingway.collection.scan import best_scored, nearest
from hammingway.errors import InvalidInputError, RefusedError
from hammingway.indexes.base import check_k
from hammingway.indexes.query_weights import check_scores, quantize_scores
from hammingway.indexes.rerank import MetricName, Reranked, rerank
from hammingway.results import Neighbors, Scored

__all__ = ["Question"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """Queries and how to answer them.

    Parameters
    ----------
    k : results a query.
    depth : candidates a query to put in order by the original vectors; None: do not.
    codes : of the queries, uint8, where candidates are ranked by Hamming distance.
    weights, units : of the queries' scores, as ``quantize_scores`` gives them, where by those.
    vectors : of the queries, where candidates are put in order by them.
    metric : by which.
    """

    k: int
    depth: int | None
    codes: NDArray[np.uint8] | None
    weights: NDArray[np.int8] | None
    units: NDArray[np.float64] | None
    vectors: NDArray[Any] | None
    metric: MetricName

    @classmethod
    def of(
        cls,
        encoding: Encoding,
        queries: CodesOrVectors,
        k: int,
        *,
        query_bits: int | None,
        depth: int | None,
        vectors: ArrayLike | None,
        metric: MetricName,
    ) -> Question:
        """Return a question checked, its queries encoded.

        Raises
        ------
        CodeWidthError, ShapeError, InvalidInputError : it cannot be asked.
        """
        k = check_k(k)
        codes, weights, units = None, None, None
        if query_bits is None:
            codes = encoding.codes(queries, "queries").packed
            n_queries = len(codes)
        else:
            scores = encoding.scores(queries)
            weights, units = quantize_scores(check_scores(scores, scores.shape[1]), query_bits)
            n_queries = len(weights)
        if depth is not None:
            depth = _check_depth(depth, k)
            if vectors is None and not isinstance(queries, Codes | StoredCodes):
                vectors = queries
        rows = _check_vectors(vectors, n_queries, depth, metric)
        return cls(k=k, depth=depth, codes=codes, weights=weights, units=units, vectors=rows, metric=metric)

    def answer(
        self, snapshot: Snapshot, parts: Sequence[Part], *, n_threads: int | None
    ) -> Neighbors | Scored | Reranked:
        """Return the keys that answer it.

        Parameters
        ----------
        snapshot : which has the originals.
        parts : those of the snapshot, or what a filter leaves of them.
        """
        n_wanted = self.k if self.depth is None else max(self.k, min(self.depth, snapshot.manifest.n_items))
        if self.codes is not None:
            keys, distances = nearest(parts, self.codes, n_wanted, n_bits=snapshot.manifest.n_bits, n_threads=n_threads)
            found: Neighbors | Scored = Neighbors(keys, distances)
        elif self.weights is not None and self.units is not None:
            keys, sums = best_scored(parts, self.weights, n_wanted, n_threads=n_threads)
            found = Scored(keys, np.where(keys < 0, -np.inf, sums * self.units[:, None]))
        else:
            raise ValueError("a question has codes or weights")
        if self.vectors is None:
            return found
        kept = KeptVectors(snapshot)
        if not kept.n_dims:  # no vector came yet
            return Reranked(found.ids[:, : self.k], np.full((len(found), self.k), np.inf))
        return rerank(found.ids, self.vectors, kept, self.k, metric=self.metric, n_threads=n_threads)


def _check_depth(depth: int, k: int) -> int:
    if isinstance(depth, bool) or not isinstance(depth, int | np.integer) or depth < k:
        raise InvalidInputError(f"rerank is how many candidates are put in order, from k={k}; got {depth!r}.")
    return int(depth)


def _check_vectors(vectors: ArrayLike | None, n_queries: int, depth: int | None, metric: str) -> NDArray[Any] | None:
    if metric not in get_args(MetricName):
        raise InvalidInputError(f"metric must be one of {', '.join(get_args(MetricName))}; got {metric!r}.")
    if depth is None:
        if vectors is not None:
            raise InvalidInputError("vectors of queries are for rerank=; leave them out, or say how many candidates.")
        return None
    if vectors is None:
        raise RefusedError("rerank needs the queries' vectors", Remedy.GIVE_QUERY_VECTORS)
    return np.asarray(vectors)
