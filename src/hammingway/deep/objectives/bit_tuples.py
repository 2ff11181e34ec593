"""Tuples of bits that together cover every smaller subset of a code's bits."""

from __future__ import annotations

from itertools import combinations
from math import comb

import torch
from torch import Tensor

from hammingway.errors import InvalidInputError

__all__ = ["covering_tuples", "n_covering_tuples"]

_TRIES = 64


def n_covering_tuples(n_bits: int, *, size: int, cover: int, minimum: int) -> int:
    """Return how many tuples :func:`covering_tuples` aims at; it gives fewer where subsets share all their tuples."""
    return min(comb(n_bits, size), max(comb(n_bits, cover), minimum))


def covering_tuples(n_bits: int, *, size: int, cover: int, minimum: int, seed: int) -> Tensor:
    """Return distinct tuples of bits, int64 (n_tuples, size), such that each subset of ``cover`` bits is in one.

    Each subset of ``cover`` bits is extended by ``size - cover`` random ones to a tuple that is not there yet; then
    random tuples are added up to ``minimum``. Where as many tuples are wanted as there are, all are given.

    Parameters
    ----------
    n_bits : bits of the code, >= size.
    size : bits in a tuple, >= 1.
    cover : bits of the subsets to be covered, 1 <= cover <= size.
    minimum : tuples to give at least, as far as there are so many.
    seed : of the random bits.

    Raises
    ------
    InvalidInputError : n_bits < size or cover > size.

    Examples
    --------
    >>> covering_tuples(3, size=2, cover=2, minimum=0, seed=0).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    if not 1 <= cover <= size <= n_bits:
        raise InvalidInputError(
            f"tuples of {size} bits that cover all subsets of {cover} need 1 <= cover <= size <= n_bits; n_bits is "
            f"{n_bits}. Take smaller tuples or more bits."
        )
    wanted = n_covering_tuples(n_bits, size=size, cover=cover, minimum=minimum)
    if wanted == comb(n_bits, size):
        return torch.tensor(list(combinations(range(n_bits), size)))
    generator = torch.Generator().manual_seed(seed)
    found: dict[tuple[int, ...], None] = {}  # keeps their order
    for subset in combinations(range(n_bits), cover):
        _add_one(found, subset, n_bits, size, generator)
    while len(found) < wanted:
        _add_one(found, (), n_bits, size, generator)
    return torch.tensor(list(found))


def _add_one(
    found: dict[tuple[int, ...], None], subset: tuple[int, ...], n_bits: int, size: int, generator: torch.Generator
) -> None:
    """Add a random new tuple that holds ``subset``; where all of these are there already, nothing."""
    others = [bit for bit in range(n_bits) if bit not in subset]
    n_more = size - len(subset)
    for _ in range(_TRIES):
        places = torch.randperm(len(others), generator=generator)[:n_more].tolist()
        one = tuple(sorted((*subset, *(others[place] for place in places))))
        if one not in found:
            found[one] = None
            return
    # Few are left, or none: rather than draw for ever, take the first.
    all_of_them = (tuple(sorted((*subset, *more))) for more in combinations(others, n_more))
    free = next((one for one in all_of_them if one not in found), None)
    if free is not None:
        found[free] = None
