"""An interrupted run on disk: everything that the next step depends on, in one file of arrays and JSON.

Random numbers need no place in it: each is drawn from a seed of its own (:mod:`hammingway.deep.seeds`), and the
learning rate and the order of the rows follow from the step.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hammingway.deep.model import Model
from hammingway.deep.validation import bit_entropy
from hammingway.errors import InvalidInputError
from hammingway.storage import read_arrays, write_arrays

__all__ = ["CHECKPOINT_NAME", "Best", "Checkpoint", "EpochStatistics", "State"]

CHECKPOINT_NAME = "checkpoint.safetensors"
_KIND = "training-checkpoint"
_SECONDS = 60.0

Weights = dict[str, Tensor]


@dataclass
class EpochStatistics:
    """What the steps of an epoch add up to.

    Parameters
    ----------
    n_bits : scores an example.
    """

    n_bits: int
    n_steps: int = 0
    n_examples: int = 0
    loss: float = 0.0
    terms: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ones = torch.zeros(self.n_bits, dtype=torch.int64)
        self.lowest = torch.full((self.n_bits,), torch.finfo(torch.float32).max)
        self.highest = -self.lowest

    def add(self, loss: float, terms: Mapping[str, Tensor], scores: Tensor) -> None:
        """Count a step: its loss, the terms of it, and the scores (n, n_bits) it was taken of."""
        self.n_steps += 1
        self.n_examples += len(scores)
        self.loss += loss
        for name, value in terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + float(value)
        scores = scores.detach().cpu()
        self.ones += (scores > 0).sum(dim=0)
        self.lowest = torch.minimum(self.lowest, scores.amin(dim=0))
        self.highest = torch.maximum(self.highest, scores.amax(dim=0))

    def is_collapsed(self) -> bool:
        """Return whether no bit's score varied by more than rounding over the epoch's examples."""
        largest = torch.maximum(self.lowest.abs(), self.highest.abs())
        return self.n_examples > 1 and bool((self.highest - self.lowest <= 1e-6 * largest).all())

    def summary(self) -> dict[str, Any]:
        """Return the mean 'loss' and 'terms' of a step, and 'bit_entropy', the mean entropy of a bit in [0, 1]."""
        terms = {name: value / self.n_steps for name, value in self.terms.items()}
        entropy = bit_entropy(self.ones.double() / self.n_examples)
        return {"loss": self.loss / self.n_steps, "terms": terms, "bit_entropy": entropy}


@dataclass
class Best:
    """The best epoch so far: its value, where it was, and the weights and buffers of the model."""

    value: float
    step: int
    weights: Weights


@dataclass
class State:
    """Where a run stands; with the model and the optimiser, all that the next step depends on.

    Parameters
    ----------
    statistics : of the epoch under way.
    step : steps done.
    best : None until an epoch was validated.
    stale : validations since the best.
    stopped : whether the run ended before its last step.
    seconds, processor_seconds : wall time so far, and processor time of all threads, over all interruptions.
    """

    statistics: EpochStatistics
    step: int = 0
    best: Best | None = None
    stale: int = 0
    stopped: bool = False
    seconds: float = 0.0
    processor_seconds: float = 0.0


class Checkpoint:
    """The file ``checkpoint.safetensors`` of a run's folder.

    Parameters
    ----------
    folder : of the run.
    run : fingerprint of configuration, seed and data.
    seconds : between two writes, while no epoch's end asks for one; 0 to write after every step.
    """

    def __init__(self, folder: Path, run: str, *, seconds: float = _SECONDS) -> None:
        self.folder = folder
        self._path, self._run, self._seconds = folder / CHECKPOINT_NAME, run, seconds
        self._written = time.monotonic()

    def exists(self) -> bool:
        """Return whether there is one to go on from."""
        return self._path.is_file()

    def is_due(self) -> bool:
        """Return whether the last write is long enough ago."""
        return time.monotonic() - self._written >= self._seconds

    def save(self, state: State, model: Model, optimizer: torch.optim.Optimizer) -> None:
        """Write it in one atomic step."""
        statistics, best = state.statistics, state.best
        arrays = _prefixed("model", model.state_dict())
        for number, values in optimizer.state_dict()["state"].items():
            arrays |= _prefixed(f"optimizer.{number}", values)
        arrays |= {f"statistics.{name}": getattr(statistics, name).numpy() for name in ("ones", "lowest", "highest")}
        table = model.objective.neighbor_table
        arrays |= {} if table is None else {"neighbor_table": table.numpy()}
        arrays |= {} if best is None else _prefixed("best", best.weights)
        header = {
            "run": self._run,
            "step": state.step,
            "stale": state.stale,
            "stopped": state.stopped,
            "seconds": state.seconds,
            "processor_seconds": state.processor_seconds,
            "best": None if best is None else [best.value, best.step],
            "statistics": {name: getattr(statistics, name) for name in ("n_steps", "n_examples", "loss", "terms")},
        }
        write_arrays(self._path, arrays, kind=_KIND, header=header)
        self._written = time.monotonic()

    def restore(self, model: Model, optimizer: torch.optim.Optimizer) -> State:
        """Set model and optimiser to what they were, and return where the run stood.

        Raises
        ------
        InvalidInputError : the file is of another configuration, seed or data.
        FileFormatError : it is damaged.
        """
        arrays, header = read_arrays(self._path, kind=_KIND)
        if header["run"] != self._run:
            raise InvalidInputError(
                f"{self._path.parent} holds a run of another configuration, seed or data, which cannot go on as this "
                "one; give another folder, or delete that one."
            )
        model.load_state_dict(_under("model", arrays))
        table = arrays.get("neighbor_table")
        model.objective.neighbor_table = None if table is None else torch.tensor(table)
        packed = optimizer.state_dict()
        numbers = {name.split(".")[1] for name in arrays if name.startswith("optimizer.")}
        packed["state"] = {int(number): _under(f"optimizer.{number}", arrays) for number in sorted(numbers)}
        optimizer.load_state_dict(packed)
        return _state(header, arrays)


def _state(header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> State:
    saved = _under("statistics", arrays)
    statistics = EpochStatistics(len(saved["ones"]), **header["statistics"])
    statistics.ones, statistics.lowest, statistics.highest = saved["ones"], saved["lowest"], saved["highest"]
    best = None if header["best"] is None else Best(header["best"][0], header["best"][1], _under("best", arrays))
    times = header["seconds"], header["processor_seconds"]
    return State(statistics, header["step"], best, header["stale"], header["stopped"], *times)


def _prefixed(prefix: str, tensors: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    return {f"{prefix}.{name}": np.asarray(torch.as_tensor(value).cpu()) for name, value in tensors.items()}


def _under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Weights:
    start = f"{prefix}."
    return {name[len(start) :]: torch.tensor(array) for name, array in arrays.items() if name.startswith(start)}
