"""Which rows a step works on: a pure function of seed and step, so that a run can go on from any step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from hammingway.deep.objectives.base import Objective
from hammingway.deep.seeds import generator
from hammingway.errors import InvalidInputError, ShapeError

__all__ = ["Drawn", "Sampler", "parts"]


@dataclass(frozen=True)
class Drawn:
    """The rows of a batch, int64 (n,), and, for 'neighbors', the places of the anchors' neighbours in it."""

    rows: Tensor
    neighbors: Tensor | None


class Sampler:
    """Draws the batches that an objective asks for; see :attr:`Objective.sampling`.

    An epoch takes every row once, in an order of its own: as an anchor, where rows have partners. Its batches
    differ by one anchor at most, none is larger than ``batch_size``, and none has a single anchor if it can be helped.

    Parameters
    ----------
    objective : prepared; says how to draw.
    labels : int64 (n_rows,) or multi-hot (n_rows, n_classes); None without.
    n_rows : rows of the training part.
    batch_size : rows a batch, with partners and neighbours.
    seed : of the run.

    Attributes
    ----------
    steps_per_epoch : batches in which every row is an anchor once.
    smallest_batch : rows of the smallest batch.
    """

    def __init__(self, objective: Objective, labels: Tensor | None, *, n_rows: int, batch_size: int, seed: int) -> None:
        self._sampling, self._per_anchor = objective.sampling, objective.neighbors_per_anchor
        self._table = _neighbor_table(objective, n_rows) if self._sampling == "neighbors" else None
        self._labelled = _Labelled(labels) if self._sampling == "pairs" and labels is not None else None
        self._n_rows, self._seed = n_rows, seed
        rows_an_anchor = {"rows": 1, "neighbors": 1 + self._per_anchor}.get(self._sampling, 2)
        if batch_size < 2 * rows_an_anchor:
            raise InvalidInputError(
                f"batch_size must be at least {2 * rows_an_anchor}, two anchors with their partners, for the objective "
                f"{objective.registry_name!r}; got {batch_size}."
            )
        n_batches = -(-n_rows // (batch_size // rows_an_anchor))
        self.steps_per_epoch = max(1, min(n_batches, n_rows // 2))
        self.smallest_batch = n_rows // self.steps_per_epoch * rows_an_anchor
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))

    def draw(self, step: int) -> Drawn:
        """Return the batch of this step, counted from 0 over all epochs."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._order[0] != epoch:
            self._order = epoch, torch.randperm(self._n_rows, generator=generator(self._seed, "order", epoch))
        anchors = self._order[1][parts(self._n_rows, self.steps_per_epoch)[place]]
        if self._sampling == "rows":
            return Drawn(anchors, None)
        random = generator(self._seed, "partners", step)
        if self._table is not None:
            return self._with_neighbors(anchors, self._table, random)
        partners = anchors if self._labelled is None else self._labelled.partners(anchors, random)
        return Drawn(torch.stack([anchors, partners], dim=1).flatten(), None)

    def _with_neighbors(self, anchors: Tensor, table: Tensor, random: torch.Generator) -> Drawn:
        chosen = torch.rand(len(anchors), table.shape[1], generator=random).argsort(dim=1)[:, : self._per_anchor]
        neighbors = table[anchors].gather(1, chosen)  # (n_anchors, per_anchor), rows of the training part
        places = len(anchors) + torch.arange(neighbors.numel()).reshape(neighbors.shape)
        return Drawn(torch.cat([anchors, neighbors.flatten()]), places)


def parts(length: int, count: int) -> list[slice]:
    """Return ``count`` slices that cover ``length`` places in order, their sizes differing by one at most.

    Examples
    --------
    >>> [(part.start, part.stop) for part in parts(5, 2)]
    [(0, 2), (2, 5)]
    """
    ends = [length * number // count for number in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


class _Labelled:
    """Finds for a row another that shares one of its labels: all (row, label) memberships, sorted by label."""

    def __init__(self, labels: Tensor) -> None:
        if labels.ndim == 1:
            row, label = torch.arange(len(labels)), labels
        else:
            row, label = labels.nonzero(as_tuple=True)
        shared = torch.bincount(label)[label] > 1  # who is alone with a label finds nobody by it
        row, label = row[shared], label[shared]
        order = torch.sort(label, stable=True).indices
        self._row = row[order]
        sizes = torch.bincount(label[order])
        first = sizes.cumsum(0) - sizes
        self._first, self._size = first[label[order]], sizes[label[order]]
        # The memberships of each row: of row i those at by_row[start[i]], ... n_labels[i] of them.
        self._by_row = torch.sort(self._row, stable=True).indices
        self._n_labels = torch.bincount(self._row, minlength=len(labels))
        self._start = self._n_labels.cumsum(0) - self._n_labels

    def partners(self, rows: Tensor, random: torch.Generator) -> Tensor:
        """Return another row of a random label of each row; itself where there is none."""
        labelled = rows[self._n_labels[rows] > 0]
        own = self._by_row[self._start[labelled] + _below(self._n_labels[labelled], random)]
        first, size = self._first[own], self._size[own]
        shift = 1 + _below(size - 1, random)
        found = rows.clone()
        found[self._n_labels[rows] > 0] = self._row[first + (own - first + shift) % size]
        return found


def _below(limits: Tensor, random: torch.Generator) -> Tensor:
    """Return a random whole number in [0, limit) for each limit >= 1."""
    drawn = torch.rand(limits.shape, generator=random, dtype=torch.float64)
    return (drawn * limits).long().clamp(max=limits - 1)


def _neighbor_table(objective: Objective, n_rows: int) -> Tensor:
    table = objective.neighbor_table
    if table is None or table.ndim != 2 or len(table) != n_rows or table.shape[1] < objective.neighbors_per_anchor:
        shape = None if table is None else tuple(table.shape)
        raise ShapeError(
            f"the objective {objective.registry_name!r} must set neighbor_table to ({n_rows}, at least "
            f"{objective.neighbors_per_anchor}) in prepare; got {shape}."
        )
    return table
