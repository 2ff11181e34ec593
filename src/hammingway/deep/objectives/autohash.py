"""AutoHash: a binary autoencoder, or neighbours kept and codes spread; thresholds learnt or balanced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch
from msgspec import Meta
from torch import Tensor, nn
from torch.nn import functional

from hammingway.config import Config
from hammingway.deep.nearest_rows import nearest_rows
from hammingway.deep.networks.autohash import tanh_layers
from hammingway.deep.objectives.base import Objective, Sampling, TaskShape
from hammingway.deep.objectives.straight_through import straight_through_sign
from hammingway.errors import InvalidInputError

if TYPE_CHECKING:
    from hammingway.deep.batches import Batch, Rows

__all__ = [
    "AutoHashNeighborsObjective",
    "AutoHashNeighborsOptions",
    "AutoHashObjective",
    "AutoHashOptions",
    "balance_loss",
    "balanced_thresholds",
    "cosine_reconstruction_loss",
    "decorrelation_loss",
    "nearest_other",
    "probe_loss",
    "ranking_loss",
    "spreading_loss",
]

NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Widths = tuple[Annotated[int, Meta(ge=1)], ...]

_SMALLEST_DISTANCE = 1e-4  # duplicates would be infinitely far from spread


def cosine_reconstruction_loss(decoded: Tensor, x: Tensor) -> Tensor:
    """Return the mean of 1 - cos(x, decoded), both float (n, n_features)."""
    return 1 - functional.cosine_similarity(decoded, x).mean()


def balance_loss(soft: Tensor) -> Tensor:
    """Return the mean over bits of their squared means over the batch; ``soft`` is float (n, n_bits) in [-1, 1]."""
    return soft.mean(dim=0).pow(2).mean()


def decorrelation_loss(soft: Tensor) -> Tensor:
    """Return ``‖HᵀH / n - I‖²`` over the number of bits; ``soft`` is H, float (n, n_bits) in [-1, 1]."""
    n_rows, n_bits = soft.shape
    return (soft.T @ soft / n_rows - torch.eye(n_bits, device=soft.device)).pow(2).sum() / n_bits


def ranking_loss(units: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """Return the mean of ``max(‖f - f⁺‖ - ‖f - f⁻‖, 0)``; all float (n, n_bits)."""
    near, far = functional.pairwise_distance(units, positives), functional.pairwise_distance(units, negatives)
    return (near - far).clamp(min=0).mean()


def spreading_loss(units: Tensor) -> Tensor:
    """Return minus the mean logarithm of the distance from each unit vector to its nearest other; float (n, n_bits)."""
    distances = (2 - 2 * units @ units.T).clamp(min=_SMALLEST_DISTANCE**2).sqrt()
    itself = torch.eye(len(units), dtype=torch.bool, device=units.device)
    return -distances.masked_fill(itself, torch.inf).amin(dim=1).log().mean()


def probe_loss(soft: Tensor, positives: Tensor, negatives: Tensor, *, radius: int, negative_weight: float) -> Tensor:
    """Return the mean of ``max(Ĥ⁺ - r, 0) + η max(r + 1 - Ĥ⁻, 0)``: neighbours within the probed radius, others beyond.

    Ĥ is the Hamming distance ``(n_bits - <h, h'>) / 2`` of soft codes in [-1, 1], all float (n, n_bits).
    """
    n_bits = soft.shape[1]
    near = (n_bits - (soft * positives).sum(dim=1)) / 2
    far = (n_bits - (soft * negatives).sum(dim=1)) / 2
    return ((near - radius).clamp(min=0) + negative_weight * (radius + 1 - far).clamp(min=0)).mean()


def nearest_other(units: Tensor, forbidden: Tensor, *, rank: int) -> Tensor:
    """Return for each row the place of its ``rank``-th nearest among the rows not forbidden to it, int64 (n,).

    Parameters
    ----------
    units : float (n, n_bits), rows of length one.
    forbidden : bool (n, n); a row itself always counts as forbidden. Where fewer than ``rank`` are left, the last.
    rank : >= 1.
    """
    itself = torch.eye(len(units), dtype=torch.bool, device=units.device)
    cosines = (units @ units.T).masked_fill(forbidden | itself, -torch.inf)
    order = cosines.argsort(dim=1, descending=True, stable=True)
    allowed = (cosines > -torch.inf).sum(dim=1).clamp(min=1)
    places: Tensor = order.gather(1, (allowed.clamp(max=rank) - 1)[:, None])[:, 0]
    return places


def balanced_thresholds(scores: Tensor) -> Tensor:
    """Return thresholds, (n_bits,), in the gap between two of each bit's scores that halves the rows most evenly.

    It is the gap above the (lower) median, unless rows tie there. A threshold on a training row's own score would leave
    that row's bit to the last digit of whatever computes it, here or elsewhere; only where all are equal it must.
    """
    median = scores.median(dim=0).values
    below = scores.where(scores < median, -torch.inf).amax(dim=0)
    above = scores.where(scores > median, torch.inf).amin(dim=0)
    half = len(scores) / 2
    excess = ((scores > median).sum(dim=0) - half).abs() - ((scores >= median).sum(dim=0) - half).abs()
    return torch.where(excess > 0, _between(below, median), _between(median, above))


def _between(lower: Tensor, upper: Tensor) -> Tensor:
    """Return the middle, or the lower one where the middle is infinite, or rounded up."""
    middle = lower + (upper - lower) / 2
    return middle.where(middle < upper, lower)


def _decoder(shape: TaskShape, hidden: Widths) -> nn.Sequential:
    """Return AutoHash's decoder, which mirrors the encoder and ends in tanh."""
    layers = tanh_layers((shape.n_bits, *hidden))
    width = (shape.n_bits, *hidden)[-1]
    layers.extend([nn.Linear(width, torch.Size(shape.input_shape).numel()), nn.Tanh()])
    return layers


def _hardened(soft: Tensor) -> Tensor:
    """Return the signs of soft codes, with their gradient."""
    return soft + (straight_through_sign(soft) - soft).detach()


class _Thresholded(Objective):
    """Soft and hard codes about thresholds that are learnt."""

    def __init__(self, options: AutoHashOptions | AutoHashNeighborsOptions, shape: TaskShape) -> None:
        super().__init__(options, shape)
        self.margin = nn.Parameter(torch.zeros(shape.n_bits))

    def soften(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return tanh(β (score - threshold)), β rising geometrically over the run."""
        first, last = self.options.sharpness
        progress = batch.step / batch.total_steps
        return torch.tanh(first * (last / first) ** progress * (scores - self.margin))

    def thresholds(self, scores: Tensor) -> Tensor:
        """Return thresholds that halve the training scores, or the learnt ones."""
        return balanced_thresholds(scores) if self.options.threshold == "balanced" else self.margin.detach()


class AutoHashOptions(Config, frozen=True):
    """Options of :class:`AutoHashObjective`.

    Parameters
    ----------
    quantisation, balance, decorrelation : weights of the terms, >= 0.
    sharpness : β of tanh(β (score - threshold)) at the first step and at the last, > 0.
    threshold : 'balanced' thresholds halve the training scores, as medians do; 'learned' ones were trained.
    hidden : width of each hidden layer of the decoder, code to input.
    """

    quantisation: NotNegative = 0.1
    balance: NotNegative = 1.0
    decorrelation: NotNegative = 0.1
    sharpness: tuple[Positive, Positive] = (1.0, 5.0)
    threshold: Literal["balanced", "learned"] = "balanced"
    hidden: Widths = (32, 64, 128, 256, 512)


class AutoHashObjective(_Thresholded):
    """AutoHash as a binary autoencoder: the input is decoded from bits that are balanced and uncorrelated.

    With soft bits h = tanh(β (score - m)) and hard bits s of the same signs, whose gradient is that of h, the loss is

    ``mean(1 - cos(x, decode(s))) + λ_q mean((h - s)²) + λ_b mean_j(mean_i h_ij)² + λ_d ‖HᵀH / n - I‖² / n_bits``.

    The decoder mirrors the encoder and ends in tanh. Cosines rather than squares are compared because the
    coordinates of a unit vector of 1536 dimensions are so small that squares have next to no gradient.

    References
    ----------
    The encoder, decoder and learnt thresholds are AutoHash's, whose loss was never published; this one is composed of
    M. Carreira-Perpiñán, R. Raziperchikolaei, "Hashing with binary autoencoders", CVPR 2015, and V. Erin Liong, J.
    Lu, G. Wang, P. Moulin, J. Zhou, "Deep hashing for compact binary codes learning", CVPR 2015. Weights are ours.
    """

    registry_name = "autohash"
    Options: ClassVar[type[Config]] = AutoHashOptions
    options: AutoHashOptions

    def __init__(self, options: AutoHashOptions, shape: TaskShape) -> None:
        super().__init__(options, shape)
        self.decoder = _decoder(shape, options.hidden)

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms are the four of the formula."""
        options = self.options
        soft = self.soften(scores, batch)
        hard = _hardened(soft)
        terms = {
            "reconstruction": cosine_reconstruction_loss(self.decoder(hard), batch.x.flatten(1)),
            "quantisation": options.quantisation * (soft - hard.detach()).pow(2).mean(),
            "balance": options.balance * balance_loss(soft),
            "decorrelation": options.decorrelation * decorrelation_loss(soft),
        }
        self.terms = {name: term.detach() for name, term in terms.items()}
        return torch.stack(list(terms.values())).sum()


class AutoHashNeighborsOptions(Config, frozen=True):
    """Options of :class:`AutoHashNeighborsObjective`.

    Parameters
    ----------
    n_neighbors : exact nearest rows, by cosine, that count as neighbours, >= 1; of fewer rows all others do.
    negative_rank : which of the nearest rows of the batch that are no neighbours is the negative, 1 for the first.
    spreading, probing, reconstruction : weights of the terms, >= 0; the last is the first term of
        :class:`AutoHashObjective`.
    hidden : width of each hidden layer of the decoder, code to input, where there is reconstruction.
    probe_radius : Hamming distance within which neighbours are to be found.
    probe_negatives : weight, within the probing term, of the rows that are to lie beyond the radius, >= 0.
    sharpness : β of tanh(β (score - threshold)) at the first step and at the last, > 0.
    threshold : 'balanced' thresholds halve the training scores, as medians do; 'learned' ones were trained.
    """

    n_neighbors: Annotated[int, Meta(ge=1)] = 10
    negative_rank: Annotated[int, Meta(ge=1)] = 1
    spreading: NotNegative = 0.1
    probing: NotNegative = 0.1
    reconstruction: NotNegative = 0.0
    hidden: Widths = (32, 64, 128, 256, 512)
    probe_radius: Annotated[int, Meta(ge=0)] = 4
    probe_negatives: NotNegative = 1.0
    sharpness: tuple[Positive, Positive] = (1.0, 5.0)
    threshold: Literal["balanced", "learned"] = "balanced"


class AutoHashNeighborsObjective(_Thresholded):
    """AutoHash by neighbours: nearer than other rows and within the probed radius, while codes spread out.

    With f = (score - m) / ‖score - m‖ and soft bits h = tanh(β (score - m)), the loss is

    ``mean max(‖f - f⁺‖ - ‖f - f⁻‖, 0) - λ_s mean_i log min_j ‖f_i - f_j‖``
    ``+ λ_p mean(max(Ĥ⁺ - r, 0) + η max(r + 1 - Ĥ⁻, 0)) + γ mean(1 - cos(x, decode(s)))``,

    s the hard bits and γ zero unless asked for; x⁺ one of the exact nearest rows in the input space, x⁻ the nearest row
    of the batch by f that is none of them.

    References
    ----------
    A. Sablayrolles, M. Douze, C. Schmid, H. Jégou, "Spreading vectors for similarity search", ICLR 2019; the
    hinges on Ĥ follow M. Norouzi, D. Fleet, "Minimal loss hashing for compact binary codes", ICML 2011. Deviates: the
    negative is the nearest of the batch, not the 50th nearest of all rows. Weights are ours.
    """

    registry_name = "autohash-neighbors"
    Options: ClassVar[type[Config]] = AutoHashNeighborsOptions
    options: AutoHashNeighborsOptions
    sampling: ClassVar[Sampling] = "neighbors"

    def __init__(self, options: AutoHashNeighborsOptions, shape: TaskShape) -> None:
        super().__init__(options, shape)
        self.decoder = _decoder(shape, options.hidden) if options.reconstruction else None

    def prepare(self, training_x: Rows, labels: Tensor | None, generator: torch.Generator) -> None:
        """Find the exact nearest rows of every row."""
        n_neighbors = min(self.options.n_neighbors, len(training_x) - 1)
        self.neighbor_table = nearest_rows(training_x[:].flatten(1), n_neighbors)

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms: 'ranking', 'spreading', 'probing', 'reconstruction'."""
        if batch.neighbors is None or self.neighbor_table is None:
            raise InvalidInputError("The objective 'autohash-neighbors' needs batches of rows and their neighbours.")
        options = self.options
        n_anchors, positive = len(batch.neighbors), batch.neighbors[:, 0]
        units = functional.normalize(scores - self.margin, dim=1)
        soft = self.soften(scores, batch)
        with torch.no_grad():
            forbidden = _are_neighbors(batch.rows[:n_anchors], self.neighbor_table)
            negative = nearest_other(units[:n_anchors], forbidden, rank=options.negative_rank)
        terms = {
            "ranking": ranking_loss(units[:n_anchors], units[positive], units[negative]),
            "spreading": options.spreading * spreading_loss(units[:n_anchors]),
            "probing": options.probing
            * probe_loss(
                soft[:n_anchors],
                soft[positive],
                soft[negative],
                radius=options.probe_radius,
                negative_weight=options.probe_negatives,
            ),
        }
        if self.decoder is not None:
            decoded = self.decoder(_hardened(soft))
            terms["reconstruction"] = options.reconstruction * cosine_reconstruction_loss(decoded, batch.x.flatten(1))
        self.terms = {name: term.detach() for name, term in terms.items()}
        return torch.stack(list(terms.values())).sum()


def _are_neighbors(rows: Tensor, neighbor_table: Tensor) -> Tensor:
    """Return bool (n, n): whether the second of two training rows is a neighbour, or another copy, of the first."""
    table = neighbor_table.to(rows.device)[rows]
    return (table[:, :, None] == rows).any(dim=1) | (rows[:, None] == rows)
