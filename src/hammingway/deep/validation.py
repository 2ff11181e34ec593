"""What an epoch is judged by, on rows that no step was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hammingway import metrics
from hammingway.codes import Codes
from hammingway.deep.batches import Batch, Rows
from hammingway.deep.config import Training
from hammingway.deep.inference import scores_of_rows
from hammingway.deep.networks.base import Network
from hammingway.deep.objectives.base import Objective
from hammingway.deep.sampling import Sampler
from hammingway.deep.seeds import generator, seeded
from hammingway.errors import ConfigError

__all__ = ["Part", "Validation", "bit_entropy"]

_QUERIES, _DATABASE = 1000, 10_000  # at most; a seeded choice where there are more
_NEIGHBORS, _RANK = 10, 100

Select = Literal["map", "recall", "loss"]


@dataclass(frozen=True)
class Part:
    """Examples with their labels: int64 (n,), multi-hot (n, n_classes), or None."""

    rows: Rows
    labels: Tensor | None


class Validation:
    """Searches codes of training rows with codes of validation rows, as queries will search the database later.

    Parameters
    ----------
    training, validation : the two parts; at most 1,000 validation and 10,000 training rows are used.
    config : its ``select`` says by what the best epoch is chosen.
    seed : of the run.

    Attributes
    ----------
    select : 'map': mean average precision, relevant being who shares a label. 'recall': the share of the 10 nearest
        training rows (Euclidean) among the first 100 codes, ties counted by their expectation. 'loss': the
        objective's, over the whole validation part.
    """

    def __init__(self, training: Part, validation: Part, config: Training, *, seed: int) -> None:
        self._training, self._validation, self._config, self._seed = training, validation, config, seed
        self.select: Select = _resolve(config.select, training.labels)
        self._database = _choice(len(training.rows), _DATABASE, seed, "database")
        self._queries = _choice(len(validation.rows), _QUERIES, seed, "queries")
        if training.labels is not None and validation.labels is not None:
            chosen = validation.labels[self._queries], training.labels[self._database]
            self._relevant: tuple[NDArray[np.generic], NDArray[np.generic]] | NDArray[np.int64]
            self._relevant = chosen[0].numpy(), chosen[1].numpy()
        if self.select == "recall":
            self._relevant = _nearest(validation.rows[self._queries], training.rows[self._database])

    def is_better(self, value: float, best: float) -> bool:
        """Return whether an epoch of ``value`` is better than one of ``best``."""
        return value < best if self.select == "loss" else value > best

    def measure(self, network: Network, objective: Objective, device: torch.device) -> dict[str, float]:
        """Return 'map' or 'recall', or 'loss', under their names, and 'bit_entropy' of the database's codes."""
        database = scores_of_rows(network, self._training.rows, self._database, device)
        if self.select == "loss":
            value = self._loss(network, objective, device)
        else:
            queries = scores_of_rows(network, self._validation.rows, self._queries, device)
            if objective.query_map is not None:
                queries = scores_of_rows(objective.query_map, self._validation.rows, self._queries, device)
            thresholds = objective.thresholds(database)
            shift = torch.zeros(network.n_bits) if thresholds is None else thresholds.cpu()
            counts = metrics.distance_counts(_codes(queries - shift), _codes(database - shift), self._relevant)
            rank = min(_RANK, len(self._database))
            by_query = (
                metrics.average_precision(counts)
                if self.select == "map"
                else metrics.expected_recall_at_k(counts, k=rank)
            )
            value = metrics.mean_over_queries(by_query).mean
            database = database - shift
        return {self.select: value, "bit_entropy": bit_entropy((database > 0).double().mean(dim=0))}

    def _loss(self, network: Network, objective: Objective, device: torch.device) -> float:
        """Return the mean loss of the validation part's batches; the objective's buffers stay as they are."""
        part, saved = self._validation, {name: tensor.clone() for name, tensor in objective.state_dict().items()}
        size = min(self._config.batch_size, max(4, len(part.rows)))
        sampler = Sampler(objective, part.labels, n_rows=len(part.rows), batch_size=size, seed=self._seed)
        losses = []
        objective.eval()
        for step in range(sampler.steps_per_epoch):
            places = sampler.draw(step).rows
            x = part.rows[places].to(device)
            labels = None if part.labels is None else part.labels[places].to(device)
            batch = Batch(torch.full_like(places, -1).to(device), x, labels)
            with torch.no_grad(), seeded(self._seed, "validation", step, device=device):
                losses.append(float(objective(network(x).float(), batch)))
        objective.load_state_dict(saved)
        return float(np.mean(losses))


def bit_entropy(shares: Tensor) -> float:
    """Return the mean entropy of a bit, in [0, 1], from the share of ones of each, (n_bits,).

    Examples
    --------
    >>> bit_entropy(torch.tensor([0.5, 1.0]))
    0.5
    """
    both = torch.stack([shares, 1 - shares]).double().clamp(0, 1)
    return float(-torch.special.xlogy(both, both).sum(dim=0).mean() / np.log(2))


def _resolve(select: str, labels: Tensor | None) -> Select:
    if select == "map" and labels is None:
        raise ConfigError("training.select is 'map', which needs labels; pass y to fit, or select 'recall' or 'loss'.")
    if select == "auto":
        return "recall" if labels is None else "map"
    return "map" if select == "map" else "recall" if select == "recall" else "loss"


def _choice(n_rows: int, most: int, seed: int, purpose: str) -> Tensor:
    if n_rows <= most:
        return torch.arange(n_rows)
    return torch.randperm(n_rows, generator=generator(seed, "validation", purpose))[:most].sort().values


def _codes(scores: Tensor) -> Codes:
    return Codes.from_scores(scores.numpy())


def _nearest(queries: Tensor, database: Tensor) -> NDArray[np.int64]:
    """Return the places of each query's nearest database rows, int64 (n_queries, <= 10)."""
    near = torch.cdist(queries.flatten(1).double(), database.flatten(1).double())
    nearest: NDArray[np.int64] = near.topk(min(_NEIGHBORS, len(database)), largest=False).indices.numpy()
    return nearest
