"""Distilled hashing: codes trained so that the scores of a query rank them as the vectors themselves are ranked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError
from hammingway.hashers.base import DEFAULT_TRAINING_ROWS, Hasher, LearnedArray, check_whole_number
from hammingway.hashers.distillation import Adam, Maps, loss_and_gradient, rate_at
from hammingway.hashers.first_maps import ROTATION_TURNS, first_maps, rotated, standardised
from hammingway.hashers.fixed_point import FixedPointProduct, to_fixed_point
from hammingway.hashers.moments import principal_directions
from hammingway.hashers.rows import TrainingRows, Work
from hammingway.hashers.supervised_itq import Labels, canonical_directions
from hammingway.hashers.teaching import N_ANCHORS, LabelTeacher, NeighborTeacher, Teacher, n_looked_up
from hammingway.hashers.threads import crew, single_threaded_blas

__all__ = ["Distilled"]

Metric = Literal["euclidean", "cosine", "inner-product"]

_FEW_ROWS = 20_000  # of more than these a fit takes its time
_SQUARE_BITS = 20  # of a value whose square is summed exactly, over up to 2**13 features
_REGULARIZATION = 1e-4  # of the canonical correlations with labels, the default of SupervisedITQ
_LARGEST_BREADTH = 1e6  # gradients are float32, and squared
_WARM_SHARE = 0.2
_CHECKS = 8  # looks at the held-out rows, besides the one at the start


class Distilled(Hasher):
    """Linear codes and a query map, trained to give back the true nearest rows; minutes to fit, others take seconds.

    Two maps are learnt: score = (x - mean) · weights + offsets, whose sign is the code of a database row, and another
    for queries, :meth:`project_queries`, whose float scores are summed with the signs of a code
    (:meth:`FlatIndex.search_asymmetric`). Both start as :class:`ITQ`, or :class:`SupervisedITQ` with labels; gradient
    descent then lowers the cross-entropy between which rows are an anchor's neighbours and the softmax of the scores
    that their codes get.

    Parameters
    ----------
    n_bits : bits a code, 1 to 4096; more than features are possible.
    random_state : int, RandomState or None; draws the training sample, the first rotation and every step.
    max_training_rows : rows to learn from. A fit holds 4 * n_features bytes a row, twice.
    metric : what makes rows neighbours: 'euclidean', 'cosine' or 'inner-product' (the same for vectors of norm 1).
        With 'cosine' rows and queries are scaled to norm 1 before anything else.
    use_labels : learn from y instead: rows that share a label are the neighbours. Then y is required.
    n_steps : gradient steps, >= 1; by default one for 15 training rows up to 20,000 of them, rising to two for 15 from
        40,000 on; at least 300, at most 8,000, and at most 1,100,000 / n_bits.
    breadth : weight of keeping groups of rows together, >= 0, beside that of finding the nearest: of a second loss, by
        which the Hamming distances between codes are to tell which rows share many of their 200 nearest. With 1 to 3
        classes are kept together about as well as by :class:`ITQ` or better, and some of what is gained over it in
        finding the nearest rows is lost, all of it where training rows are few. Of no effect with ``use_labels``.
    prefix_bits : how many first bits are to be a good code by themselves too, as in ``[64, 128]``: rising, below
        ``n_bits``; None for the whole alone. One such code is stored, and its first 64 bits are scanned by
        ``search_asymmetric(scores[:, :64], k, prefix_bits=64)``. They find nearly what a code of 64 bits finds, and the
        whole a little less than a code trained as a whole. With two such widths a step takes a fifth longer at 384
        bits, two thirds longer at 64.

    Attributes
    ----------
    mean_ : float64 (n_features,), the training mean.
    weights_, query_weights_ : float32 (n_features, n_bits), one direction a bit.
    offsets_, query_offsets_ : float32 (n_bits,).

    Notes
    -----
    A tenth of the training rows, at most 500, is kept aside; the maps that rank these best, of nine looks from the
    start (ITQ) to the end, are taken. Neighbours are exact and looked up for at most 40,000 rows. Deterministic for
    one machine and any number of threads. Compare with :class:`ITQ` in the explanation of distilled codes.

    References
    ----------
    Own method, from known parts: asymmetric distances for binary codes (A. Gordo, F. Perronnin, Y. Gong, S.
    Lazebnik, TPAMI 36(1), 2014), the start of :class:`ITQ`, straight-through gradients (Y. Bengio, N. Léonard,
    A. Courville, arXiv:1308.3432), distillation (G. Hinton, O. Vinyals, J. Dean, arXiv:1503.02531).

    Examples
    --------
    >>> import numpy as np
    >>> from hammingway import FlatIndex
    >>> X = np.random.default_rng(0).normal(size=(300, 16))
    >>> hasher = Distilled(12, random_state=0, n_steps=50).fit(X)
    >>> index = FlatIndex(12).add(hasher.encode(X))
    >>> index.search_asymmetric(hasher.project_queries(X[:2]), k=3).ids.shape
    (2, 3)
    """

    registry_name = "distilled"
    learned_arrays: ClassVar[Mapping[str, LearnedArray]] = {
        "mean_": (np.float64, ("n_features",)),
        "weights_": (np.float32, ("n_features", "n_bits")),
        "offsets_": (np.float32, ("n_bits",)),
        "query_weights_": (np.float32, ("n_features", "n_bits")),
        "query_offsets_": (np.float32, ("n_bits",)),
    }
    mean_: NDArray[np.float64]
    weights_: NDArray[np.float32]
    offsets_: NDArray[np.float32]
    query_weights_: NDArray[np.float32]
    query_offsets_: NDArray[np.float32]

    def __init__(  # noqa: PLR0913 - the options of an estimator are arguments of its constructor
        self,
        n_bits: int = 64,
        *,
        random_state: int | np.random.RandomState | None = None,
        max_training_rows: int | None = DEFAULT_TRAINING_ROWS,
        metric: Metric = "euclidean",
        use_labels: bool = False,
        n_steps: int | None = None,
        breadth: float = 0.0,
        prefix_bits: Sequence[int] | None = None,
    ) -> None:
        super().__init__(n_bits, random_state=random_state, max_training_rows=max_training_rows)
        self.metric = metric
        self.use_labels = use_labels
        self.n_steps = n_steps
        self.breadth = breadth
        self.prefix_bits = prefix_bits

    def project_queries(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the scores of queries, float32 (n, n_bits), for asymmetric search in codes of :meth:`encode`.

        They are logits: a code whose sum with them is greater by 1 is e times as likely a neighbour. With
        ``prefix_bits`` they are so over the whole code; over its first bits the ranking is right and the unit another.
        """
        return self._scores(X, self._project_queries)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.metric not in get_args(Metric):
            raise InvalidInputError(f"metric must be one of {', '.join(get_args(Metric))}; got {self.metric!r}.")
        if not isinstance(self.use_labels, bool | np.bool_):
            raise InvalidInputError(f"use_labels must be True or False; got {self.use_labels!r}.")
        if self.n_steps is not None:
            check_whole_number("n_steps", self.n_steps)
        if not is_from_zero(self.breadth) or self.breadth > _LARGEST_BREADTH:
            raise InvalidInputError(f"breadth must be a number from 0 to {_LARGEST_BREADTH:g}; got {self.breadth!r}.")
        check_prefixes(self.prefix_bits, int(self.n_bits))

    def _needed_rows(self) -> int:
        return 3

    def _fit(self, rows: TrainingRows, y: ArrayLike | None, rng: np.random.RandomState) -> None:
        if self.use_labels and y is None:
            raise InvalidInputError(
                "Distilled(use_labels=True) requires y to be passed, but the target y is None; pass class labels "
                "(n_samples,) or a 0/1 indicator matrix (n_samples, n_labels), or use_labels=False."
            )
        labels = Labels(y, rows) if self.use_labels and y is not None else None
        n_steps = default_steps(len(rows), self.n_bits_) if self.n_steps is None else int(self.n_steps)
        n_passes = 4 if self.metric == "cosine" else 3
        looked_up = 0 if self.use_labels else n_looked_up(len(rows))
        rows.work.plan((n_passes + ROTATION_TURNS) * len(rows) + looked_up + n_steps * N_ANCHORS)
        source = self._on_sphere(rows) if self.metric == "cosine" else rows
        if labels is None:
            directions = principal_directions(source, min(self.n_bits_, rows.n_features))
        else:
            directions = canonical_directions(source, labels, self.n_bits_, _REGULARIZATION)
        x, unit = standardised(source, directions.mean)
        widths = (*map(int, self.prefix_bits or ()), self.n_bits_)
        start = rotated(x, directions, widths, rng)
        rows.work.advance(ROTATION_TURNS * len(rows))
        teacher = self._teacher(x, directions.mean / unit, labels, rng, rows.work)
        maps = distil(start, teacher, n_steps, rng, rows.work.advance, widths=widths)
        scale = maps.scales[0, -1]
        self.mean_ = directions.mean
        self.weights_, self.query_weights_ = maps.weights / unit, maps.query_weights * (scale / unit)
        self.offsets_, self.query_offsets_ = maps.offsets.copy(), maps.query_offsets * scale

    def _teacher(
        self,
        x: NDArray[np.float32],
        mean: NDArray[np.float64],
        labels: Labels | None,
        rng: np.random.RandomState,
        work: Work,
    ) -> Teacher:
        if labels is not None:
            return LabelTeacher(x, rng, labels.columns(slice(0, len(x))))
        return NeighborTeacher(
            x,
            rng,
            bonus=self._bonus(x, mean),
            temperature=target_temperature(self.n_bits_),
            equal=equal_part(self.n_bits_),
            breadth=float(self.breadth),
            advance=work.advance,
        )

    def _on_sphere(self, rows: TrainingRows) -> TrainingRows:
        """Return the rows scaled to norm 1, in memory."""
        x = np.empty((len(rows), rows.n_features), dtype=np.float32)
        for place, block in zip(rows.slices(), rows.blocks(), strict=True):
            x[place] = _to_sphere(block)
        return TrainingRows(x, None, rows.work)

    def _bonus(self, x: NDArray[np.float32], mean: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return what the inner product of centred rows lacks for the order by the metric, float32 (n,)."""
        if self.metric == "inner-product":
            with single_threaded_blas():
                product: NDArray[np.float32] = x @ mean.astype(np.float32)
            return product
        squares: NDArray[np.float32] = np.square(x).sum(axis=1)
        return squares / np.float32(-2)  # on the sphere too, where cosine and distance agree

    def _prepare(self) -> None:
        self._code_product = FixedPointProduct(self.weights_, self.mean_)
        self._query_product = FixedPointProduct(self.query_weights_, self.mean_)

    def _project(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._code_product(self._scaled(rows)) + self.offsets_

    def _project_queries(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._query_product(self._scaled(rows)) + self.query_offsets_

    def _scaled(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return _to_sphere(rows) if self.metric == "cosine" else rows


def is_from_zero(value: object) -> bool:
    """Tell whether a value is a finite number, not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return False
    return bool(0 <= value < math.inf)


def check_prefixes(prefix_bits: object, n_bits: int) -> None:
    """Raise unless ``prefix_bits`` is None, or a sequence of whole numbers that rise from 1 to below ``n_bits``."""
    if prefix_bits is None:
        return
    if isinstance(prefix_bits, list | tuple) and prefix_bits:
        for width in prefix_bits:
            check_whole_number("each of prefix_bits", width)
        if all(first < last for first, last in pairwise((*prefix_bits, n_bits))):
            return
    widths = ",".join(str(width) for width in (n_bits // 4, n_bits // 2) if width)
    example = f"as in prefix_bits=[{widths}], " if widths else ""
    raise InvalidInputError(
        f"prefix_bits must be numbers that rise and lie below n_bits = {n_bits}, {example}or None; got {prefix_bits!r}."
    )


def default_steps(n_rows: int, n_bits: int) -> int:
    """Return how many gradient steps a fit takes where it is not told: fewer for few rows and for long codes."""
    more_for_many = min(max(n_rows / _FEW_ROWS, 1.0), 2.0)
    return max(300, min(int(n_rows * more_for_many / 15), 8000, 1_100_000 // n_bits))


def highest_rate(widths: Sequence[int]) -> float:
    """Return the highest learning rate: more bits add up to larger changes of a sum; prefixes start further off."""
    return min(0.05, (0.05 if len(widths) == 1 else 0.1) * 64 / widths[-1])


def target_temperature(n_bits: int) -> float:
    """Return the temperature of the targets: long codes can tell apart what short ones cannot."""
    return 0.2 * min(1.5, math.pow(64 / n_bits, 0.4))


def equal_part(n_bits: int) -> float:
    """Return what part of the target is shared equally by the first ten: it helps short codes and harms long ones."""
    return 0.5 if n_bits <= 64 else 0.0


def distil(
    start: NDArray[np.float32],
    teacher: Teacher,
    n_steps: int,
    rng: np.random.RandomState,
    advance: Callable[[int], None],
    *,
    widths: Sequence[int],
) -> Maps:
    """Return the maps, of those looked at from start to end, that are best on the held-out rows.

    Parameters
    ----------
    start : float32 (n_features, n_bits), where both maps start.
    teacher : draws the steps and judges; without held-out rows the last maps are taken.
    advance : told ``N_ANCHORS`` after each step.
    widths : how many first bits are to be a code by themselves, rising; the last is n_bits.
    """
    with crew() as threads:
        maps, unit = first_maps(start, teacher, widths)
        adam, rate = Adam(maps.flat), highest_rate(widths)
        best, kept = teacher.quality(maps), maps.flat.copy()
        checked = {n_steps * check // _CHECKS for check in range(1, _CHECKS + 1)}
        for step, draw in enumerate(threads.ahead(lambda: teacher.draw(rng), n_steps)):
            gradient = loss_and_gradient(maps, draw, threads)[1]
            adam.step(gradient, rate * rate_at(step, n_steps, _WARM_SHARE))
            advance(N_ANCHORS)
            if step + 1 in checked and (quality := teacher.quality(maps)) >= best:
                best, kept = quality, maps.flat.copy()
    maps.flat[:] = kept
    maps.weights *= unit
    maps.query_weights *= unit
    return maps


def _to_sphere(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale rows to norm 1, in place; zeros stay. A row's norm is a sum of whole numbers, so of no order."""
    whole, _ = to_fixed_point(rows, _SQUARE_BITS, axis=1)
    norms = np.sqrt(np.square(whole).sum(axis=1, keepdims=True))
    np.divide(whole, norms, out=whole, where=norms > 0)
    return whole
