"""What other rankings of the same codes find, and what they cost."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hammingway.bench.quality import recall_quality
from hammingway.bench.rankings import Ranking, check_rankings
from hammingway.bench.store import RankingResult
from hammingway.bench.timing import search_timings
from hammingway.errors import ConfigError
from hammingway.indexes.rerank import rerank

if TYPE_CHECKING:
    from hammingway.bench.evaluate import Setting
    from hammingway.bench.spec import RunSpec
    from hammingway.codes import Codes
    from hammingway.hashers.base import Hasher
    from hammingway.indexes.base import Index

__all__ = ["code_search", "ranking_results"]

Search = Callable[[slice], NDArray[np.int64]]


def code_search(hasher: Hasher, index: Any, queries: Codes, vectors: NDArray[Any]) -> Callable[[slice, int], Any]:
    """Return what searches for the codes of a slice; an index that can look where queries are unsure is told where.

    Parameters
    ----------
    queries : codes of ``vectors`` by ``hasher``.
    """
    if "scores" not in inspect.signature(index.search).parameters:
        return lambda rows, k: index.search(queries[rows], k)
    scores = hasher.project(vectors)
    return lambda rows, k: index.search(queries[rows], k, scores=scores[rows])


def ranking_results(
    hasher: Hasher, index: Index, queries: Codes, spec: RunSpec, setting: Setting
) -> dict[str, RankingResult]:
    """Return what each ranking of ``spec`` finds in a filled index, and what its search costs.

    Scores are projected before, as codes are encoded before: a search is timed from scores or codes to ids,
    the reading of originals included.

    Raises
    ------
    ConfigError : the index has no asymmetric search.
    """
    if not spec.rankings:
        return {}
    check_rankings(spec.rankings)
    scores = hasher.project_queries(setting.data.queries)
    by_code = code_search(hasher, index, queries, setting.data.queries)
    results = {}
    for name in spec.rankings:
        search = _search(Ranking.parse(name), index, by_code, scores, spec, setting)
        quality, curves = recall_quality(search(slice(0, len(queries))), setting.truth, k=spec.k)
        batch, single = search_timings(search, len(queries), repeats=spec.repeats)
        results[name] = RankingResult(quality=quality, curves=curves, batch_seconds=batch, single_seconds=single)
    return results


def _search(
    ranking: Ranking,
    index: Index,
    by_code: Callable[[slice, int], Any],
    scores: NDArray[np.float32],
    spec: RunSpec,
    setting: Setting,
) -> Search:
    """Return what searches for the queries of a slice and gives their ids, int64 (n, <= k)."""
    data = setting.data
    k = min(spec.k, len(index))
    wanted = k if ranking.depth is None else min(ranking.depth, len(index))
    asymmetric: Any = getattr(index, "search_asymmetric", None)
    if ranking.query_bits is not None and asymmetric is None:
        raise ConfigError(f"{spec.index.name} has no asymmetric search; take the index 'flat'.")

    def search(rows: slice) -> NDArray[np.int64]:
        ids: NDArray[np.int64]
        if ranking.query_bits is None:
            ids = by_code(rows, wanted).ids
        else:
            ids = asymmetric(scores[rows], wanted, query_bits=ranking.query_bits).ids
        if ranking.depth is None:
            return ids
        metric = spec.data.metric
        return rerank(ids, data.queries[rows], data.database, min(k, wanted), metric=metric).ids

    return search
