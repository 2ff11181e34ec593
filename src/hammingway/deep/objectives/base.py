"""What every objective shares: its options, its state, and a scalar loss from scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from hammingway.config import Config
from hammingway.errors import InvalidInputError

if TYPE_CHECKING:
    from hammingway.deep.batches import Batch, Rows
    from hammingway.deep.networks.base import Network

__all__ = ["NoOptions", "Objective", "Sampling", "TaskShape", "needed_labels", "share_a_label"]

Sampling = Literal["rows", "pairs", "views", "neighbors"]


@dataclass(frozen=True)
class TaskShape:
    """The sizes an objective is made for.

    Parameters
    ----------
    n_bits : bits a code.
    input_shape : of an example: (n_features,) or (channels, height, width).
    n_rows : examples in the training part (the validation part is not among them).
    n_classes : distinct labels, or columns of a multi-hot label; None without labels.
    """

    n_bits: int
    input_shape: tuple[int, ...]
    n_rows: int
    n_classes: int | None


class NoOptions(Config, frozen=True):
    """For an objective or network without options."""


class Objective(nn.Module, ABC):
    """Base of all objectives: a loss of the scores, with whatever state it keeps.

    A new objective states ``registry_name`` and ``Options`` and writes ``forward``; it is registered as an entry
    point of the group ``hammingway.objectives``. Its state (memory banks, centres, decoders, classifiers, query
    maps) are parameters and buffers, so that a checkpoint holds all of it; parameters are trained together with the
    network. Randomness inside ``forward`` comes from torch's default generator, which the training loop seeds for
    every step; randomness inside ``prepare`` from the generator handed in.

    Parameters
    ----------
    options : an instance of the class's ``Options``, its defaults being the published constants.
    shape : the sizes of the task.

    Attributes
    ----------
    terms : detached parts of the last loss by name, for the log.
    query_map : a registered network from x to the scores of queries, where these differ; saved with the hasher.
    neighbor_table : int64 (n_rows, k), set by ``prepare`` of objectives that sample 'neighbors'.
    """

    registry_name: ClassVar[str]
    Options: ClassVar[type[Config]] = NoOptions
    sampling: ClassVar[Sampling] = "rows"
    """How a batch is drawn.

    'rows': a random order of all rows. 'pairs': places 2i and 2i + 1 hold two rows of one label, or, without
    labels, one row twice (augmented twice). 'views': one row twice, whether or not there are labels. 'neighbors': the
    first n_anchors places hold rows in random order, the others ``neighbors_per_anchor`` neighbours of each, drawn from
    ``neighbor_table``.
    """
    neighbors_per_anchor: ClassVar[int] = 1
    needs_labels: ClassVar[bool] = False
    learning_rate_factor: ClassVar[float] = 1.0
    """By which the learning rate is multiplied for the objective's own parameters."""

    def __init__(self, options: Any, shape: TaskShape) -> None:
        super().__init__()
        self.options = options
        self.shape = shape
        self.terms: dict[str, Tensor] = {}
        self.query_map: Network | None = None
        self.neighbor_table: Tensor | None = None

    def attach(self, network: Network) -> None:
        """Keep what the loss needs of the network beside its scores, by default nothing.

        Called whenever the two are put together, before ``prepare`` or a checkpoint is restored.
        """

    def prepare(self, training_x: Rows, labels: Tensor | None, generator: torch.Generator) -> None:
        """Set what depends on the data before the first step (centres, principal components, neighbours).

        Called once, on the CPU, before the objective moves to its device; not when a run is resumed, so whatever
        is set here must be a parameter or a buffer (or ``neighbor_table``, which is kept too), made in ``__init__``
        with its final shape.

        Parameters
        ----------
        training_x : the training part; index it for float32 (n, \\*input_shape).
        labels : as in :class:`~hammingway.deep.batches.Batch`, for all n_rows.
        generator : the only source of randomness, on the CPU.
        """

    @abstractmethod
    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss, a scalar, of ``scores`` (n, n_bits), the raw output of the network; set ``terms``."""

    def thresholds(self, scores: Tensor) -> Tensor | None:
        """Return what is subtracted from each bit's score, (n_bits,), from the scores of the training part.

        Called once after training; ``scores`` is float32 (n_rows, n_bits) on the CPU, the network in evaluation
        mode. None for zero.
        """
        return None


def needed_labels(objective: Objective, batch: Batch) -> Tensor:
    """Return the labels of the batch.

    Raises
    ------
    InvalidInputError : it has none.
    """
    if batch.labels is None:
        raise InvalidInputError(
            f"The objective {objective.registry_name!r} learns from labels; pass y to fit, or take an objective that "
            "needs none."
        )
    return batch.labels


def share_a_label(labels: Tensor, others: Tensor) -> Tensor:
    """Return bool (n, m): whether two examples share a class or, multi-hot, at least one label.

    Parameters
    ----------
    labels : int64 (n,) class numbers, or (n, n_classes) of zeros and ones.
    others : the same kind, (m,) or (m, n_classes).

    Examples
    --------
    >>> share_a_label(torch.tensor([0, 1]), torch.tensor([1, 1, 0])).tolist()
    [[False, False, True], [True, True, False]]
    """
    if labels.ndim == 1:
        return labels[:, None] == others[None, :]
    return labels @ others.T > 0
