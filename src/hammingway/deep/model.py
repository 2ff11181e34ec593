"""What is trained: a network and the objective it is trained for."""

from __future__ import annotations

from torch import nn

from hammingway.deep.networks.base import Network
from hammingway.deep.objectives.base import Objective

__all__ = ["Model"]


class Model(nn.Module):
    """A network and the objective it is trained for, their weights and buffers under one roof."""

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
