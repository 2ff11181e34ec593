"""Entropies of small tuples of bits over a batch, and their gradient in closed form, by matrix products.

Bit i of example n is 1 with chance ``p_ni = sigmoid(z_ni)``; with ``φ_ni = (1 - p_ni, p_ni)`` the chance of the cell t
of a tuple T of bits, over the batch, is ``P_T(t) = mean_n Π_{i in T} φ_ni(t_i)``: sums of products, so all cells of all
pairs are one product of matrices, those of all triples one product a first bit. Nothing is subtracted, so
small chances keep their digits. The entropy of a tuple is ``H_T = -Σ_t P_T(t) ln P_T(t)``, in nats, and

``∂ΣH_T / ∂z_ni = -p_ni (1 - p_ni) / N Σ_{T with i} Σ_s (ln P_T(1, s) - ln P_T(0, s)) Π_{j in T, j != i} φ_nj(s_j)``,

the transposed products, with the logarithms in the place of the cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function

__all__ = ["GradientType", "bit_features", "tuple_cells", "tuple_entropies", "tuple_entropy"]

GradientType = Literal["normal", "pseudo-smooth", "straight-through"]
CellsOf = Callable[[Tensor], Tensor]

_CHUNK_VALUES = 2**22


def bit_features(scores: Tensor) -> Tensor:
    """Return φ, (n, n_bits, 2): the chances of 0 and of 1 of each bit, whose score is the log-odds."""
    return torch.stack([torch.sigmoid(-scores), torch.sigmoid(scores)], dim=2)


def tuple_entropies(features: Tensor, tuples: Tensor | None, *, size: int) -> Tensor:
    """Return the entropy of each tuple of bits in nats, float (n_tuples,).

    Parameters
    ----------
    features : float (n, n_bits, 2), the chances of 0 and 1 of each bit: of :func:`bit_features`, or, for the entropy
        of the hard codes themselves, zeros and ones.
    tuples : int64 (n_tuples, size); None for all pairs (size 2) or triples (size 3) in lexicographic order.

    Examples
    --------
    >>> tuple_entropies(bit_features(torch.zeros(1, 3)), None, size=3)  # three fair coins: 3 ln 2
    tensor([2.0794])
    """
    cells = tuple_cells(features, tuples, size=size)
    entropies: Tensor = -torch.special.xlogy(cells, cells).flatten(1).sum(dim=1)
    return entropies


def tuple_cells(features: Tensor, tuples: Tensor | None, *, size: int) -> Tensor:
    """Return the chances of all cells of all tuples, float (n_tuples, 2, ..., 2); arguments as above."""
    return torch.cat([cells_of(features) for cells_of in _cell_functions(features, tuples, size)])


def tuple_entropy(
    scores: Tensor, tuples: Tensor | None, *, size: int, gradient: GradientType = "normal", prior: float = 1.0
) -> Tensor:
    """Return the sum of the entropies of all tuples, in nats, with a gradient of the chosen type.

    Parameters
    ----------
    scores : float (n, n_bits), log-odds of the bits.
    tuples, size : as for :func:`tuple_entropies`.
    gradient : 'normal' is the entropy of the chances and its exact gradient. 'pseudo-smooth' is the entropy of the
        hard codes (score > 0) with a gradient whose log-ratios are those of their smoothed counts, ``ln (count of
        (1, s) + prior) - ln (count of (0, s) + prior)``, its other factors those of 'normal'. 'straight-through' is the
        same with the hard bits of the example also in the product over the tuple's other bits: the derivative by
        the hard bits, passed to the chances as it is.
    prior : added to each count, > 0; not used by 'normal'.
    """
    entropy: Tensor = _TupleEntropy.apply(scores, tuples, size, gradient, prior)  # type: ignore[no-untyped-call]
    return entropy


class _TupleEntropy(Function):
    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, tuples: Tensor | None, size: int, gradient: GradientType, prior: float
    ) -> Tensor:
        chances = bit_features(scores)
        bits = torch.stack([scores <= 0, scores > 0], dim=2).to(scores.dtype)
        outer = (bits if gradient == "straight-through" else chances).requires_grad_()
        entropy, slope = scores.new_zeros(()), torch.zeros_like(outer)
        for cells_of in _cell_functions(outer, tuples, size):
            with torch.enable_grad():
                outer_cells = cells_of(outer)
            cells = cells_of(bits) if gradient == "pseudo-smooth" else outer_cells.detach()
            if gradient == "normal":
                logarithms = cells.clamp(min=torch.finfo(cells.dtype).tiny).log()
            else:
                logarithms = (cells * len(scores) + prior).log()
            entropy -= torch.special.xlogy(cells, cells).sum()
            # Linear in the cells, the logarithms being fixed: these are the transposed products of the closed form.
            slope -= torch.autograd.grad(outer_cells, outer, logarithms)[0]
        ctx.save_for_backward(chances.detach().prod(dim=2) * (slope[..., 1] - slope[..., 0]))
        return entropy

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        (slope,) = ctx.saved_tensors
        return gradients[0] * slope, None, None, None, None


def _cell_functions(features: Tensor, tuples: Tensor | None, size: int) -> Iterator[CellsOf]:
    """Yield functions from features to the cells of some tuples, in order, together all of them."""
    n_rows, n_bits, _ = features.shape
    if tuples is None and size == 2:
        yield _pair_cells
    elif tuples is None:
        for first in range(n_bits - 2):
            yield partial(_triple_cells, first=first)
    else:
        at_once = max(1, _CHUNK_VALUES // (n_rows * 2 ** -(-size // 2)))
        for start in range(0, len(tuples), at_once):
            yield partial(_listed_cells, tuples=tuples[start : start + at_once])


def _pair_cells(features: Tensor) -> Tensor:
    n_rows, n_bits, _ = features.shape
    flat = features.reshape(n_rows, 2 * n_bits)
    gram = (flat.T @ flat / n_rows).reshape(n_bits, 2, n_bits, 2)
    i, j = torch.triu_indices(n_bits, n_bits, offset=1, device=features.device)
    return gram.permute(0, 2, 1, 3)[i, j]


def _triple_cells(features: Tensor, first: int) -> Tensor:
    """Return the cells of all triples whose lowest bit is ``first``."""
    later = features[:, first + 1 :]  # (n, m, 2)
    n_rows, n_later, _ = later.shape
    pairs = features[:, first, None, :, None] * later[:, :, None, :]  # (n, m, 2, 2)
    products = pairs.reshape(n_rows, 4 * n_later).T @ later.reshape(n_rows, 2 * n_later) / n_rows
    j, k = torch.triu_indices(n_later, n_later, offset=1, device=features.device)
    return products.reshape(n_later, 2, 2, n_later, 2).permute(0, 3, 1, 2, 4)[j, k]


def _listed_cells(features: Tensor, tuples: Tensor) -> Tensor:
    """Return the cells of the tuples: one product of matrices each, of its first bits' cells and its last bits'."""
    n_rows, size = len(features), tuples.shape[1]
    rows_last = features.permute(1, 2, 0).contiguous()  # (n_bits, 2, n): what is summed over lies together
    left, right = _joint(rows_last, tuples[:, : size // 2]), _joint(rows_last, tuples[:, size // 2 :])
    cells = left @ right.transpose(1, 2) / n_rows
    return cells.reshape(len(tuples), *[2] * size)


def _joint(rows_last: Tensor, tuples: Tensor) -> Tensor:
    """Return the chance of each cell of each tuple for each row, (n_tuples, 2**size, n)."""
    if tuples.shape[1] > 1:  # many share their first bits, or their last: each is multiplied once
        distinct, place = torch.unique(tuples, dim=0, return_inverse=True)
        return _products(rows_last, distinct)[place]
    return _products(rows_last, tuples)


def _products(rows_last: Tensor, tuples: Tensor) -> Tensor:
    joint = rows_last.new_ones(len(tuples), 1, rows_last.shape[2])
    for bits in tuples.T:
        joint = (joint[:, :, None] * rows_last[bits][:, None, :]).flatten(1, 2)
    return joint
