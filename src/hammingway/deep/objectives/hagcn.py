"""HAGCN: codes from which a graph of the batch rebuilds the inputs, and whose inner products are similarities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch
from msgspec import Meta
from torch import Tensor, nn
from torch.nn import functional

from hammingway.config import Config
from hammingway.deep.centering import training_mean
from hammingway.deep.objectives.base import Objective, TaskShape
from hammingway.deep.objectives.graph_filters import FILTERS, FilterName, normalized_adjacency
from hammingway.deep.objectives.published_hagcn import PublishedGraph
from hammingway.errors import InvalidInputError

if TYPE_CHECKING:
    from hammingway.deep.batches import Batch, Rows

__all__ = ["HAGCNObjective", "HAGCNOptions", "similarity_loss"]

_LEAST_SPLINES = 4
_BLOCK_ROWS = 1024


def similarity_loss(codes: Tensor, similarities: Tensor) -> Tensor:
    """Return the mean over all pairs, a row with itself too, of ``(<b_i, b_j> - n_bits s_ij)²``.

    Parameters
    ----------
    codes : float (n, n_bits) in [-1, 1].
    similarities : float (n, n).
    """
    return (codes @ codes.T - codes.shape[1] * similarities).pow(2).mean()


class HAGCNOptions(Config, frozen=True):
    """Options of :class:`HAGCNObjective`.

    Parameters
    ----------
    filter : 'gcn', 'fourier', 'spline', 'chebyshev' or 'lanczos'.
    graph : 'batch', or 'none' to leave the graph out: the filter becomes a linear layer of each row alone.
    order : eigenvectors of 'fourier', splines of 'spline' (>= 4), terms of 'chebyshev', steps of 'lanczos'; >= 1.
    hidden : width of the graph's signals and of the decoder; None for the number of features, as published.
    similarity : weight of the similarity loss, >= 0.
    faithful : compute what the published program computes, its errors included. Needs ``graph = 'batch'`` and no
        ``hidden``, and the network 'linear' with ``standardize = false`` to be the published method.
    """

    filter: FilterName = "gcn"
    graph: Literal["batch", "none"] = "batch"
    order: Annotated[int, Meta(ge=1)] = 18
    hidden: Annotated[int, Meta(ge=1)] | None = None
    similarity: Annotated[float, Meta(ge=0)] = 1e-4
    faithful: bool = False


class HAGCNObjective(Objective):
    """HAGCN: an autoencoder whose code is relaxed bits, filtered over a graph of the batch, and a similarity loss.

    Relaxed codes are ``B = 2 sigmoid(scores) - 1``; s_ij is the cosine of two centred inputs. The graph has the
    positive s_ij for edges and a self-loop of weight 1 at each row. The signal ``GELU(W B)`` is filtered over it and
    decoded to the input, centred and divided by one deviation for all features: ``mean((decoded - x)²)`` trains the
    code, as the code is all the decoder sees. To it comes λ times :func:`similarity_loss`. The graph, filter and
    decoder are used while training only: a code is a function of its row.

    ``faithful`` gives the published program's arithmetic instead, in which the decoder sees ``GELU(W₁ x)`` rather than
    the code, so that reconstruction does not train the code at all.

    References
    ----------
    HAGCN, its published program and README: λ 1e-4, k 18. What differs unless ``faithful``, because the program does
    not do what the papers of its filters or its own figure say: the decoder reads the codes; similarities are cosines,
    not products over the batch size; self-loops are added once rather than to every pair; filters are those of
    :mod:`~hammingway.deep.objectives.graph_filters`; inputs are scaled. The README's code is ``sigmoid >= 0.5``, ours
    ``score > 0``; they differ at zero only.
    """

    registry_name = "hagcn"
    Options: ClassVar[type[Config]] = HAGCNOptions
    options: HAGCNOptions
    mean: Tensor
    deviation: Tensor

    def __init__(self, options: HAGCNOptions, shape: TaskShape) -> None:
        super().__init__(options, shape)
        n_features = torch.Size(shape.input_shape).numel()
        _check(options)
        if options.faithful:
            self.published = PublishedGraph(n_features, options.filter, options.order)
            return
        hidden = options.hidden or n_features
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("deviation", torch.ones(()))
        self.lift = nn.Linear(shape.n_bits, hidden)
        batch_filter = FILTERS[options.filter](hidden, options.order) if options.graph == "batch" else None
        self.filter = batch_filter or nn.Linear(hidden, hidden)
        self.decoder = nn.Sequential(
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, n_features),
        )

    def prepare(self, training_x: Rows, labels: Tensor | None, generator: torch.Generator) -> None:
        """Take the mean of the training part, and the deviation about it over all features together."""
        if self.options.faithful:
            return
        self.mean.copy_(training_mean(training_x).flatten())
        squares = torch.zeros((), dtype=torch.float64)
        for start in range(0, len(training_x), _BLOCK_ROWS):
            squares += (training_x[start : start + _BLOCK_ROWS].flatten(1) - self.mean).double().pow(2).sum()
        variance = squares / (len(training_x) * len(self.mean))
        self.deviation.copy_(variance.sqrt() if variance > 0 else torch.ones(()))

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms are 'reconstruction' and 'similarity'."""
        codes = 2 * torch.sigmoid(scores) - 1
        x = batch.x.flatten(1)
        if self.options.faithful:
            decoded, similarities = self.published(x)
        else:
            x = (x - self.mean) / self.deviation
            decoded, similarities = self._decode(codes, x)
        reconstruction = functional.mse_loss(decoded, x)
        similarity = self.options.similarity * similarity_loss(codes, similarities)
        self.terms = {"reconstruction": reconstruction.detach(), "similarity": similarity.detach()}
        return reconstruction + similarity

    def _decode(self, codes: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inputs decoded from the codes, and the cosines of the inputs."""
        units = functional.normalize(x, dim=1)
        similarities = units @ units.T
        signal = functional.gelu(self.lift(codes))
        if self.options.graph == "none":
            return self.decoder(self.filter(signal)), similarities
        with torch.no_grad():
            adjacency = normalized_adjacency(similarities)
        return self.decoder(self.filter(adjacency, signal)), similarities


def _check(options: HAGCNOptions) -> None:
    """Raise InvalidInputError for options that contradict each other."""
    if options.filter == "spline" and options.order < _LEAST_SPLINES:
        raise InvalidInputError(f"cubic splines need order >= {_LEAST_SPLINES}; got {options.order}.")
    if options.faithful and (options.graph != "batch" or options.hidden is not None):
        raise InvalidInputError(
            "faithful HAGCN has a graph, and the width of its input; leave graph and hidden at their defaults."
        )
