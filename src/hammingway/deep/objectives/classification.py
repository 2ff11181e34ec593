"""What objectives that classify codes share: the number of classes, and the loss of a classifier."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from hammingway.deep.objectives.base import TaskShape
from hammingway.errors import InvalidInputError

__all__ = ["classification_loss", "needed_classes"]


def classification_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of class numbers, or the mean binary cross-entropy of several labels each.

    Parameters
    ----------
    logits : float (n, n_classes).
    labels : int64 (n,) class numbers, or float (n, n_classes) of zeros and ones.

    Examples
    --------
    >>> import torch
    >>> classification_loss(torch.zeros(1, 4), torch.tensor([2]))
    tensor(1.3863)
    """
    if labels.ndim == 1:
        return functional.cross_entropy(logits, labels)
    return functional.binary_cross_entropy_with_logits(logits, labels)


def needed_classes(name: str, shape: TaskShape) -> int:
    """Return the number of classes.

    Raises
    ------
    InvalidInputError : the objective ``name`` is given no labels.
    """
    if shape.n_classes is None:
        raise InvalidInputError(f"The objective {name!r} learns from labels; pass y to fit.")
    return shape.n_classes
