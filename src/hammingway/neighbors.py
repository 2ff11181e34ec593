"""Nearest neighbours with the conventions of ``sklearn.neighbors``, over binary codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from hammingway import registry
from hammingway.codes import Codes
from hammingway.errors import InvalidInputError
from hammingway.hashers import Hasher, RandomHyperplanes
from hammingway.hashers.rows import check_matrix
from hammingway.indexes.base import Index, check_k, check_radius
from hammingway.results import Ranges

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["GraphMode", "HammingNeighbors"]

GraphMode = Literal["connectivity", "distance"]

_DEFAULT_BITS = 256


class HammingNeighbors(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A hasher and an index as one scikit-learn estimator: neighbours of vectors by their codes.

    Stands where ``sklearn.neighbors.KNeighborsTransformer`` stands: before an estimator that takes a
    precomputed sparse graph, such as ``KNeighborsClassifier(metric="precomputed")``. ``kneighbors`` and
    ``radius_neighbors`` answer as those of ``NearestNeighbors``, with distances in bits.

    Parameters
    ----------
    hasher : a hasher, which is cloned and fitted; None for ``RandomHyperplanes(256, random_state=0)``,
        which suits any data. :class:`~hammingway.ITQ` usually needs fewer bits.
    n_neighbors : neighbours a query where a call names no number, from 1.
    radius : bits within which neighbours lie where a call names no radius, that distance included; from 0.
    mode : what ``transform`` stores: 'distance', the bits in which codes differ; or 'connectivity', 1.
    index : registered name of an exact index, such as 'flat'.

    Attributes
    ----------
    hasher_ : the fitted hasher.
    index_ : the index of the fitted rows; ids are row numbers.
    codes_ : the codes of the fitted rows.
    n_samples_fit_ : rows fitted.
    n_features_in_ : columns of the fitted rows.

    Notes
    -----
    Every answer is exact in the codes, with ties in id order. How well the codes keep the distances
    of the vectors is the hasher's matter.

    Examples
    --------
    >>> X = np.array([[1.0, 0.2], [0.9, 0.1], [-1.0, 0.3], [-0.8, 0.4]])
    >>> neighbors = HammingNeighbors(n_neighbors=1).fit(X)
    >>> neighbors.kneighbors(return_distance=False)
    array([[1], [0], [3], [2]])
    """

    hasher_: Hasher
    index_: Index
    codes_: Codes
    n_samples_fit_: int

    def __init__(
        self,
        hasher: Hasher | None = None,
        *,
        n_neighbors: int = 5,
        radius: int = 16,
        mode: GraphMode = "distance",
        index: str = "flat",
    ) -> None:
        self.hasher = hasher
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.mode = mode
        self.index = index

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Fit the hasher on X, numeric (n, n_features), index the codes and return the estimator itself.

        Parameters
        ----------
        X : numeric (n, n_features), finite.
        y : labels, for a supervised hasher.

        Raises
        ------
        InvalidInputError : a parameter or a value of X cannot be used.
        UnknownNameError : no index of that name.
        """
        check_k(self.n_neighbors)
        check_radius(self.radius)
        _check_mode(self.mode)
        index = registry.load("indexes", self.index)
        if not index.exact:
            raise InvalidInputError(f"index {self.index!r} may miss neighbours; choose an exact one, such as 'flat'.")
        hasher = RandomHyperplanes(_DEFAULT_BITS, random_state=0) if self.hasher is None else clone(self.hasher)
        self.hasher_ = hasher.fit(X, y)
        validate_data(self, X, skip_check_array=True)
        self.codes_ = self.hasher_.encode(X)
        self.index_ = index(self.codes_.n_bits).add(self.codes_)
        self.n_samples_fit_ = len(self.codes_)
        return self

    def kneighbors(
        self, X: ArrayLike | None = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]] | NDArray[np.int64]:
        """Return the nearest fitted rows of each query.

        Parameters
        ----------
        X : numeric (n_queries, n_features); None for the fitted rows, none of which is its own neighbour.
        n_neighbors : neighbours a query, up to the number of fitted rows (less one without X); None for
            the estimator's.
        return_distance : False leaves the distances out.

        Returns
        -------
        distances : int32 (n_queries, n_neighbors), in bits, ascending; only if asked for.
        rows : int64 (n_queries, n_neighbors), numbers of fitted rows, equal distances in ascending order.

        Raises
        ------
        InvalidInputError : more neighbours than there are rows, or values that cannot be used.
        """
        check_is_fitted(self)
        k = check_k(self.n_neighbors if n_neighbors is None else n_neighbors)
        available = self.n_samples_fit_ - (X is None)
        if k > available:
            raise InvalidInputError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {k}, and {available} of the "
                f"n_samples_fit = {self.n_samples_fit_} rows can be neighbours of a query; ask for fewer."
            )
        found = self.index_.search(self._codes_of(X), k + (X is None))
        rows, distances = found.ids, found.distances
        if X is None:
            kept = _others(rows)
            rows, distances = rows[kept].reshape(-1, k), distances[kept].reshape(-1, k)
        return (distances, rows) if return_distance else rows

    def radius_neighbors(
        self, X: ArrayLike | None = None, radius: int | None = None, return_distance: bool = True
    ) -> tuple[NDArray[np.object_], NDArray[np.object_]] | NDArray[np.object_]:
        """Return all fitted rows within ``radius`` bits of each query, that distance included.

        Parameters
        ----------
        X : numeric (n_queries, n_features); None for the fitted rows, none of which is its own neighbour.
        radius : whole number of bits from 0; None for the estimator's.
        return_distance : False leaves the distances out.

        Returns
        -------
        distances : object (n_queries,) of int32 arrays, in bits, ascending; only if asked for.
        rows : object (n_queries,) of int64 arrays, numbers of fitted rows, equal distances in ascending order.
        """
        found = self._within(X, radius)
        rows = _ragged([ids for ids, _ in found])
        return (_ragged([distances for _, distances in found]), rows) if return_distance else rows

    def kneighbors_graph(
        self, X: ArrayLike | None = None, n_neighbors: int | None = None, mode: GraphMode = "connectivity"
    ) -> csr_matrix:
        """Return the nearest fitted rows of each query as a sparse matrix.

        Parameters
        ----------
        X, n_neighbors : as for :meth:`kneighbors`.
        mode : 'connectivity' stores 1 for each neighbour, 'distance' the bits, zeros included.

        Returns
        -------
        graph : float64 CSR (n_queries, n_samples_fit), each row's neighbours in order of their distance.
        """
        _check_mode(mode)
        distances, rows = self.kneighbors(X, n_neighbors)
        offsets = np.arange(len(rows) + 1) * rows.shape[1]
        return self._graph(Ranges(rows.ravel(), np.asarray(distances).ravel(), offsets), mode)

    def radius_neighbors_graph(
        self, X: ArrayLike | None = None, radius: int | None = None, mode: GraphMode = "connectivity"
    ) -> csr_matrix:
        """Return all fitted rows within ``radius`` bits of each query as a sparse matrix.

        Parameters
        ----------
        X, radius : as for :meth:`radius_neighbors`.
        mode : 'connectivity' stores 1 for each neighbour, 'distance' the bits, zeros included.

        Returns
        -------
        graph : float64 CSR (n_queries, n_samples_fit), each row's neighbours in order of their distance.
        """
        _check_mode(mode)
        return self._graph(self._within(X, radius), mode)

    def transform(self, X: ArrayLike) -> csr_matrix:
        """Return the graph of the neighbours of X, for an estimator with ``metric="precomputed"``.

        As in ``KNeighborsTransformer``, mode 'distance' stores ``n_neighbors + 1`` neighbours a row, since
        a fitted row is its own first one, or one of several that are equal to it.
        """
        check_is_fitted(self)
        return self.kneighbors_graph(X, self.n_neighbors + (self.mode == "distance"), self.mode)

    @property
    def _n_features_out(self) -> int:
        return self.n_samples_fit_

    def _codes_of(self, X: ArrayLike | None) -> Codes:
        if X is None:
            return self.codes_
        check_matrix(X)
        validate_data(self, X, skip_check_array=True, reset=False)
        return self.hasher_.encode(X)

    def _within(self, X: ArrayLike | None, radius: int | None) -> Ranges:
        check_is_fitted(self)
        bits = check_radius(self.radius if radius is None else radius)
        found = self.index_.search_radius(self._codes_of(X), bits)
        if X is not None:
            return found
        kept = found.ids != np.repeat(np.arange(len(found)), found.counts)
        # Each row lay within the radius of itself, once.
        return Ranges(found.ids[kept], found.distances[kept], found.offsets - np.arange(len(found) + 1))

    def _graph(self, found: Ranges, mode: GraphMode) -> csr_matrix:
        from scipy.sparse import csr_matrix

        values = np.ones(len(found.ids)) if mode == "connectivity" else found.distances.astype(np.float64)
        return csr_matrix((values, found.ids, found.offsets), shape=(len(found), self.n_samples_fit_))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # a graph is float64 whatever comes in
        if self.hasher is not None:
            tags.target_tags.required = get_tags(self.hasher).target_tags.required
        return tags


def _others(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark all but one place of each row of (n, k + 1): its own number, or the last where others, equal, came first."""
    other: NDArray[np.bool_] = rows != np.arange(len(rows))[:, np.newaxis]
    other[other.all(axis=1), -1] = False
    return other


def _ragged(parts: list[NDArray[Any]]) -> NDArray[np.object_]:
    # Filled one by one: NumPy would make parts of equal length one numeric matrix.
    ragged = np.empty(len(parts), np.object_)
    for place, part in enumerate(parts):
        ragged[place] = part
    return ragged


def _check_mode(mode: object) -> None:
    if mode not in get_args(GraphMode):
        raise InvalidInputError(f"mode must be one of {', '.join(get_args(GraphMode))}; got {mode!r}.")
