"""One far-apart binary target a class: rows of a Hadamard matrix, or the best of many random codes."""

from __future__ import annotations

import torch
from torch import Tensor

from hammingway.errors import InvalidInputError

__all__ = ["centres_of_labels", "code_centres", "hadamard"]

_ENUMERATED_BITS = 12  # up to here all codes are candidates
_RANDOM_CANDIDATES = 16  # for each class wanted, beyond


def hadamard(n: int) -> Tensor:
    """Return Sylvester's Hadamard matrix, float32 (n, n) of -1 and 1 with orthogonal rows; n is a power of two.

    Examples
    --------
    >>> hadamard(2)
    tensor([[ 1.,  1.],
            [ 1., -1.]])
    """
    matrix = torch.ones(1, 1)
    while len(matrix) < n:
        matrix = torch.cat([torch.cat([matrix, matrix], dim=1), torch.cat([matrix, -matrix], dim=1)])
    return matrix


def code_centres(n_classes: int, n_bits: int, *, generator: torch.Generator) -> Tensor:
    """Return one code of -1 and 1 for each class, float32 (n_classes, n_bits), all distinct and far apart.

    Where ``n_bits`` is a power of two and ``n_classes <= 2 n_bits`` they are rows of the Hadamard matrix and of its
    negative, at distances n_bits / 2 or n_bits. Else each is, of many seeded candidates (of all codes up to 12 bits),
    the one farthest from its nearest centre so far.

    Raises
    ------
    InvalidInputError : there are fewer codes of this width than classes.

    Examples
    --------
    >>> code_centres(3, 5, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([3, 5])
    """
    if n_bits < 63 and 2**n_bits < n_classes:
        raise InvalidInputError(
            f"{n_classes} classes need distinct codes, {n_bits} bits give {2**n_bits}; take more bits."
        )
    if n_bits & (n_bits - 1) == 0 and n_classes <= 2 * n_bits:
        matrix = hadamard(n_bits)
        return torch.cat([matrix, -matrix])[:n_classes].clone()
    candidates = _candidates(n_classes, n_bits, generator)
    chosen = [0]
    nearest = candidates @ candidates[0]  # the larger, the nearer
    for _ in range(n_classes - 1):
        chosen.append(int(nearest.argmin()))
        nearest = torch.maximum(nearest, candidates @ candidates[chosen[-1]])
    return candidates[chosen]


def _candidates(n_classes: int, n_bits: int, generator: torch.Generator) -> Tensor:
    if n_bits <= _ENUMERATED_BITS:
        numbers = torch.randperm(2**n_bits, generator=generator)
        bits = numbers[:, None] >> torch.arange(n_bits) & 1
        return bits.float() * 2 - 1
    count = max(256, _RANDOM_CANDIDATES * n_classes)
    order = torch.rand(count, n_bits, generator=generator).argsort(dim=1)
    return torch.where(order < n_bits // 2, 1.0, -1.0)  # half of each code's bits are set


def centres_of_labels(centres: Tensor, labels: Tensor, *, tie_breaker: Tensor) -> Tensor:
    """Return each example's target code, float (n, n_bits) of -1 and 1.

    Parameters
    ----------
    centres : float (n_classes, n_bits) of -1 and 1.
    labels : int64 (n,) class numbers, or float (n, n_classes) of zeros and ones: the majority of
        their centres, bit by bit.
    tie_breaker : float (n_bits,) of -1 and 1, the bits where as many centres say 1 as -1.
    """
    if labels.ndim == 1:
        return centres[labels]
    votes = labels @ centres
    return torch.where(votes == 0, tie_breaker, torch.sign(votes))
