"""Several processes, one training: each scores its share of every batch, all see the loss of the whole.

The scores of all processes are put together, so that the loss is that of the whole batch for every objective, pairs
across processes included; the gradients of the network are summed. Batch normalisation alone sees its own share.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor, distributed, nn

from hammingway.deep.sampling import parts
from hammingway.errors import ConfigError

__all__ = ["Group", "resolve_device"]


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
        if not distributed.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        joined = distributed.is_available() and distributed.is_initialized()
        self.rank = distributed.get_rank() if joined else 0
        self.size = distributed.get_world_size() if joined else 1

    def share(self, length: int) -> slice:
        """Return which of ``length`` places are this process's."""
        return parts(length, self.size)[self.rank]

    def gather(self, own: Tensor, length: int) -> Tensor:
        """Return the scores of the whole batch, (length, n_bits), from every process's share of them."""
        if self.size == 1:
            return own
        whole = own.new_zeros(length, own.shape[1])
        whole[self.share(length)] = own
        distributed.all_reduce(whole)  # all others add zeros: the sum is exact
        return whole

    def start_alike(self, module: nn.Module) -> None:
        """Give every process the weights and buffers of the first."""
        if self.size > 1:
            for tensor in module.state_dict().values():
                distributed.broadcast(tensor, 0)

    def join_gradients(self, network: nn.Module, objective: nn.Module) -> None:
        """Sum the network's gradients; take the objective's, which each has of the whole batch, from the first."""
        if self.size == 1:
            return
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
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                for buffer in (module.running_mean, module.running_var):
                    if buffer is not None:
                        distributed.all_reduce(buffer)
                        buffer /= self.size


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
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) if device.index is None else device.index)
