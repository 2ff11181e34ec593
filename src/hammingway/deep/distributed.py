"""Several processes, one training: each scores its share of every batch, all see the loss of the whole.

The scores of all processes are put together, so that the loss is that of the whole batch for every objective, pairs
across processes included; the gradients of the network are summed. Batch normalisation alone sees its own share.

What only one of them can do, such as measuring, the first does, and says to the others what came of it.
"""

from __future__ import annotations

import atexit
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import torch
from torch import Tensor, distributed, nn

from hammingway.deep.sampling import parts
from hammingway.errors import ConfigError, LostProcessError
from hammingway.processes import n_processes

__all__ = ["Group", "fails_first", "first_says", "resolve_device", "summed", "training_device"]

_PATIENCE = timedelta(weeks=1)  # the first may measure for hours while the others wait


class Group:
    """The processes that train together: those that torchrun started, or this one alone.

    Parameters
    ----------
    device : where this process computes.

    Attributes
    ----------
    rank : number of this process, 0 for the one that writes files.
    size : processes in all.
    """

    def __init__(self, device: torch.device) -> None:
        joined = _join()
        self.rank = distributed.get_rank() if joined else 0
        self.size = distributed.get_world_size() if joined else 1
        self._device = device

    def share(self, length: int) -> slice:
        """Return which of ``length`` places are this process's."""
        return parts(length, self.size)[self.rank]

    def gather(self, own: Tensor, length: int) -> Tensor:
        """Return the scores of the whole batch, (length, n_bits), from every process's share of them."""
        if self.size == 1:
            return own
        whole = own.new_zeros(length, own.shape[1])
        whole[self.share(length)] = own
        with _others_there():
            distributed.all_reduce(whole)  # all others add zeros: the sum is exact
        return whole

    def refuse_unlike(self, value: str, refusal: str) -> None:
        """Raise ConfigError with this refusal, in every process, unless all have the same ``value``."""
        if self.size == 1:
            return
        digest = hashlib.blake2b(value.encode(), digest_size=8).digest()
        own = torch.frombuffer(bytearray(digest), dtype=torch.int64).to(self._device)
        first = own.clone()
        with _others_there():
            distributed.broadcast(first, 0)
            differ = (own != first).long()
            distributed.all_reduce(differ)
        if differ.any():
            raise ConfigError(refusal)

    def refuse_small_batches(self, smallest: int) -> None:
        """Raise ConfigError if a batch of ``smallest`` rows has fewer than two for each of several processes."""
        if self.size > 1 and smallest < 2 * self.size:
            raise ConfigError(
                f"{self.size} processes need batches of at least {2 * self.size} rows, two for each; the smallest here "
                f"has {smallest}. Take fewer processes, or a larger training.batch_size."
            )

    def start_alike(self, module: nn.Module) -> None:
        """Give every process the weights and buffers of the first."""
        if self.size == 1:
            return
        with _others_there():
            for tensor in module.state_dict().values():
                distributed.broadcast(tensor, 0)

    def join_gradients(self, network: nn.Module, objective: nn.Module) -> None:
        """Sum the network's gradients; take the objective's, which each has of the whole batch, from the first."""
        if self.size == 1:
            return
        with _others_there():
            for parameter in network.parameters():
                if parameter.requires_grad:
                    parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                    distributed.all_reduce(parameter.grad)
            for parameter in objective.parameters():
                if parameter.grad is not None:
                    distributed.broadcast(parameter.grad, 0)

    def average_buffers(self, network: nn.Module) -> None:
        """Give every process the mean of the running statistics of batch normalisation."""
        if self.size == 1:
            return
        normalisations = [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
        statistics = [buffer for one in normalisations for buffer in (one.running_mean, one.running_var)]
        with _others_there():
            for buffer in statistics:
                if buffer is not None:
                    distributed.all_reduce(buffer)
                    buffer /= self.size


def first_says(values: Sequence[float]) -> list[float]:
    """Return the first process's values in all of them, which have as many; the others wait for it, however long."""
    if not _join():
        return list(values)
    told = torch.tensor(values, dtype=torch.float64)
    with _others_there():
        distributed.broadcast(told, 0, group=_patient_group())
    return told.tolist()


def summed(value: float) -> float:
    """Return the sum of all processes' values."""
    if not _join():
        return value
    total = torch.tensor(value, dtype=torch.float64)
    with _others_there():
        distributed.all_reduce(total, group=_patient_group())
    return float(total)


def fails_first() -> bool:
    """Return whether this is the first of torchrun's processes to ask: of all that fail, the one that knows why."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return True  # there is no one to ask
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    try:
        store = distributed.TCPStore(host, port, is_master=False, timeout=timedelta(seconds=10))  # type: ignore[attr-defined]
        return bool(store.add(f"hammingway/failures/{os.environ['TORCHELASTIC_RESTART_COUNT']}", 1) == 1)
    except distributed.DistError:  # torchrun itself is gone
        return True


def resolve_device(name: str) -> torch.device:
    """Return the device; 'cuda' is the GPU of this process's number on this machine.

    Raises
    ------
    ConfigError : no such device, or no GPU here.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"training.device must be 'cpu', 'cuda' or 'cuda:N'; got {name!r}.") from error
    if device.type == "cpu":
        return device
    if device.type != "cuda" or not torch.cuda.is_available():
        raise ConfigError(f"training.device is {name!r}, but this machine offers no such device; take 'cpu'.")
    number = int(os.environ.get("LOCAL_RANK", "0")) if device.index is None else device.index
    if number >= (there := torch.cuda.device_count()):
        raise ConfigError(
            f"training.device is {name!r}, but this process needs GPU {number} and the machine has {there}; start one "
            "process a GPU."
        )
    return torch.device("cuda", number)


def training_device(name: str) -> torch.device:
    """Return the device that this process trains on.

    Raises
    ------
    ConfigError : as of :func:`resolve_device`; or one GPU for several processes.
    """
    if n_processes() > 1 and name.startswith("cuda:"):
        raise ConfigError(f"training.device is {name!r}, but each process needs a GPU of its own; take 'cuda'.")
    return resolve_device(name)


def _join() -> bool:
    """Join the other processes, if there are any and it was not done before; return whether there are any."""
    if not distributed.is_available():
        return False
    if not distributed.is_initialized() and n_processes() > 1:
        with _others_there():
            distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        atexit.register(_leave)
    return distributed.is_initialized()


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


@cache
def _patient_group() -> Any:
    return distributed.new_group(backend="gloo", timeout=_PATIENCE)


@contextmanager
def _others_there() -> Iterator[None]:
    """Give a context that says in one sentence what torch says in several ways: another process has ended."""
    try:
        yield
    except RuntimeError as error:
        raise LostProcessError(
            "another process of this training ended or cannot be reached; give the same command again, and a run that "
            "has a folder goes on from its checkpoint."
        ) from error
