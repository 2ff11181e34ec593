"""What distilled codes learn from: neighbours or labels of the training rows, drawn step by step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hammingway.hashers.distillation import Broad, Draw, Maps
from hammingway.hashers.nearest import nearest_rows
from hammingway.hashers.threads import single_threaded_blas

__all__ = ["N_ANCHORS", "LabelTeacher", "NeighborTeacher", "Teacher", "n_looked_up"]

Floats = NDArray[np.float32]

N_ANCHORS = 384
_MOST_ANCHORS = 40_000  # rows whose neighbours are looked up
_NEIGHBORS = 64
_DRAWN_NEIGHBORS = 8
_ACQUAINTANCES = 200  # the longer lists, of which two rows share many where both are of one group
_RANDOM_ROWS = 3072
_CORRECTION = 0.5
_LABEL_ROWS = 2048
_LARGEST_VALIDATION = 500
_ASKED = 10  # the neighbours that validation asks for
_SHOWN = (10, 100)  # and the codes among which it looks for them


class Teacher(ABC):
    """Draws what a step learns from, and says how well the maps do on rows that are never drawn.

    Parameters
    ----------
    x : float32 (n, n_features), the training rows, n >= 3.
    rng : draws the validation rows, which take no part in training: a tenth of n, at most 500, none below 20 rows.
    """

    def __init__(self, x: Floats, rng: np.random.RandomState) -> None:
        self.x = x
        order = rng.permutation(len(x))
        n_held_out = _n_held_out(len(x))
        self.held_out = np.sort(order[:n_held_out])
        self.taught = np.sort(order[n_held_out:])

    @abstractmethod
    def draw(self, rng: np.random.RandomState) -> Draw:
        """Return anchors, candidates and targets of one step."""

    def quality(self, maps: Maps) -> float:
        """Return how good the maps are on the held-out rows, 0 to 1, the mean over widths; 0 if there are none."""
        if not len(self.held_out):
            return 0.0
        scores, codes = maps.ask(self.x[self.held_out]), maps.encode(self.x[self.taught])
        return float(np.mean([self._quality(scores[:, :width] @ codes[:, :width].T) for width in maps.widths]))

    @abstractmethod
    def _quality(self, agreement: Floats) -> float:
        """Return how good these scores of the taught rows are, float32 (n_held_out, n_taught)."""

    def _draw(self, anchors: NDArray[np.int64], candidates: NDArray[np.int64], targets: Floats, near: int) -> Draw:
        """Return a draw whose first ``near`` candidates are neighbours, the others a random sample."""
        corrections = np.zeros(len(candidates), dtype=np.float32)
        drawn = len(candidates) - near
        if near and drawn:
            corrections[near:] = _CORRECTION * math.log(max(len(self.taught) - near, drawn) / drawn)
        _, *own = np.intersect1d(anchors, candidates, assume_unique=True, return_indices=True)
        return Draw(self.x[anchors], self.x[candidates], targets, corrections, np.array(own))


class NeighborTeacher(Teacher):
    """Wants the codes of an anchor's true neighbours before all others, the nearest most.

    Targets are, over the neighbours that were drawn, a mixture of two: the softmax of the true similarities, and equal
    shares for the first ten.

    Parameters
    ----------
    x, rng : as of Teacher.
    bonus : float32 (n,), added to the inner product with a row to make it the similarity.
    temperature : of the softmax, > 0; 1 is what similarity the median anchor loses from its first neighbour to its
        last of 64, so it has no unit.
    equal : what part of the target the equal shares are, 0 to 1.
    breadth : weight of the second part of the loss, >= 0. Its targets are the numbers of neighbours, of 200, that an
        anchor shares with a random row.
    advance : told the rows whose neighbours were looked up; ``n_looked_up`` in all.
    """

    def __init__(
        self,
        x: Floats,
        rng: np.random.RandomState,
        *,
        bonus: Floats,
        temperature: float,
        equal: float,
        breadth: float,
        advance: Callable[[int], None] = lambda _: None,
    ) -> None:
        super().__init__(x, rng)
        taught, inside = self.taught, x[self.taught]
        self._n_neighbors = min(_NEIGHBORS, max(1, len(taught) // 50))
        anchors = rng.permutation(len(taught))[:_MOST_ANCHORS]
        known = min(_ACQUAINTANCES, max(1, len(taught) // 50)) if breadth else self._n_neighbors
        found, similarity = nearest_rows(inside, bonus[taught], anchors, known, advance=advance)
        self._acquaintances = _Acquaintances(found, anchors, taught, breadth) if breadth else None
        found, similarity = found[:, : self._n_neighbors], similarity[:, : self._n_neighbors]
        self._anchors, self._neighbors = taught[anchors], taught[found]
        self._weights = _shares(similarity, temperature, equal)
        with single_threaded_blas():
            similarity = x[self.held_out] @ inside.T + bonus[taught]
        asked = min(_ASKED, len(taught) - 1)
        self._true = np.argpartition(-similarity, asked, axis=1)[:, :asked]
        self._place = np.full(len(x), -1, dtype=np.int64)  # of a row among the candidates

    def draw(self, rng: np.random.RandomState) -> Draw:
        asking = np.unique(rng.randint(len(self._anchors), size=N_ANCHORS))
        anchors, neighbors = self._anchors[asking], self._neighbors[asking]
        chosen = rng.randint(self._n_neighbors, size=(len(asking), _DRAWN_NEIGHBORS))
        near = np.unique(np.take_along_axis(neighbors, chosen, axis=1))
        self._place[near] = np.arange(len(near))
        others = np.unique(self.taught[rng.randint(len(self.taught), size=_RANDOM_ROWS)])
        others = others[self._place[others] < 0]
        self._place[others] = np.arange(len(near), len(near) + len(others))
        candidates = np.concatenate([near, others])
        line, rank = np.nonzero(self._place[neighbors] >= 0)
        shares = self._weights[asking][line, rank]
        targets = np.zeros((len(anchors), len(candidates)), dtype=np.float32)
        targets[line, self._place[neighbors[line, rank]]] = shares
        self._place[candidates] = -1
        draw = self._draw(anchors, candidates, _to_shares(targets), len(near))
        if self._acquaintances is None:
            return draw
        return draw._replace(broad=self._acquaintances.part(asking, candidates, len(near)))

    def _quality(self, agreement: Floats) -> float:
        """Return the share of the true 10 nearest rows among the first 10 codes, averaged with that among 100.

        A row whose code scores no better than the first one left out does not count as found.
        """
        at_true = np.take_along_axis(agreement, self._true, axis=1)
        shown = [min(n, agreement.shape[1] - 1) for n in _SHOWN]
        # The value at place n, falling: what is above it is among the first n.
        left_out = -np.partition(-agreement, shown, axis=1)[:, shown]
        return float(np.mean([at_true > left_out[:, [column]] for column in range(len(shown))]))


class _Acquaintances:
    """Whom rows know: their nearest. Rows of one group know the same ones, though they may not know each other.

    Parameters
    ----------
    found : int64 (m, k), the nearest of m rows, as places in ``taught``; so is ``rows``, int64 (m,).
    taught : int64 (n,), the rows that may be drawn.
    weight : of the part of the loss.
    """

    def __init__(
        self, found: NDArray[np.int64], rows: NDArray[np.int64], taught: NDArray[np.int64], weight: float
    ) -> None:
        from scipy.sparse import csr_array

        columns = np.column_stack([rows, found])  # a row knows itself
        starts = np.arange(len(rows) + 1) * columns.shape[1]
        ones = np.ones(columns.size, dtype=np.float32)
        self._known = csr_array((ones, columns.ravel(), starts), shape=(len(rows), len(taught)))
        self._line = np.full(int(taught.max()) + 1, -1, dtype=np.int64)  # of a row, in the matrix
        self._line[taught[rows]] = np.arange(len(rows))
        self._weight = np.float32(weight)

    def part(self, asking: NDArray[np.int64], candidates: NDArray[np.int64], near: int) -> Broad:
        """Return the part of a draw for some of the m rows, over the candidates from ``near`` on."""
        lines = self._line[candidates]
        places = near + np.flatnonzero(lines[near:] >= 0)
        shared = (self._known[asking] @ self._known[lines[places]].T).toarray()
        own = np.array(np.nonzero(asking[:, None] == lines[places]))
        shared[own[0], own[1]] = 0
        return Broad(places, _to_shares(shared), own, self._weight)


class LabelTeacher(Teacher):
    """Wants the codes of rows that share a label with an anchor before all others, all of them alike.

    Parameters
    ----------
    x, rng : as of Teacher.
    members : bool or float32 (n, n_labels), nonzero where a row has a label.
    """

    def __init__(self, x: Floats, rng: np.random.RandomState, members: NDArray[np.generic]) -> None:
        super().__init__(x, rng)
        self._members = members.astype(np.float32)

    def draw(self, rng: np.random.RandomState) -> Draw:
        anchors = np.unique(self.taught[rng.randint(len(self.taught), size=N_ANCHORS)])
        candidates = np.unique(self.taught[rng.randint(len(self.taught), size=_LABEL_ROWS)])
        targets = self._share(anchors, candidates).astype(np.float32)
        targets[anchors[:, None] == candidates] = 0
        return self._draw(anchors, candidates, _to_shares(targets), 0)

    def _quality(self, agreement: Floats) -> float:
        """Return the share of rows with a common label among the first 100 codes."""
        shown = min(_SHOWN[1], agreement.shape[1] - 1)
        first = np.argsort(-agreement, axis=1, kind="stable")[:, :shown]
        return float(np.take_along_axis(self._share(self.held_out, self.taught), first, axis=1).mean())

    def _share(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
        common: NDArray[np.bool_] = self._members[rows] @ self._members[others].T > 0
        return common


def n_looked_up(n_rows: int) -> int:
    """Return for how many of ``n_rows`` training rows neighbours are looked up."""
    return min(n_rows - _n_held_out(n_rows), _MOST_ANCHORS)


def _n_held_out(n_rows: int) -> int:
    return min(_LARGEST_VALIDATION, n_rows // 10) if n_rows >= 20 else 0


def _shares(similarity: Floats, temperature: float, equal: float) -> Floats:
    """Return what share of an anchor's target each of its neighbours, the nearest first, has."""
    loss = similarity[:, :1] - similarity
    unit = np.float32(temperature) * np.median(loss[:, -1])
    soft = np.exp(-loss / max(unit, np.float32(1e-6)))
    first = min(_ASKED, similarity.shape[1])
    shares: Floats = soft * (np.float32(1 - equal) / soft.sum(axis=1, keepdims=True))
    shares[:, :first] += np.float32(equal / first)
    return shares


def _to_shares(targets: Floats) -> Floats:
    totals = targets.sum(axis=1, keepdims=True)
    np.divide(targets, totals, out=targets, where=totals > 0)
    return targets
