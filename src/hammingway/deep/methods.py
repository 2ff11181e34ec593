"""Published methods by name: an objective, the network and the training it is usually used with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hammingway.deep.hasher import DeepHasher

__all__ = ["DSH", "HashNet"]


class DSH(DeepHasher):
    """Deep supervised hashing: pairs of one class close, others at least a margin apart.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.dsh.DSHObjective`.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.random.default_rng(0).normal(size=(60, 8)), np.arange(60) % 3
    >>> DSH(16, training={"epochs": 2}, random_state=0).fit(X, y).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "dsh"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "dsh"}
    supervised = True


class HashNet(DeepHasher):
    """HashNet: a weighted likelihood of pairs, on tanh codes that sharpen as training goes on.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.hashnet.HashNetObjective`.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.random.default_rng(0).normal(size=(60, 8)), np.arange(60) % 3
    >>> HashNet(16, training={"epochs": 2}, random_state=0).fit(X, y).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "hashnet"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "hashnet"}
    supervised = True
