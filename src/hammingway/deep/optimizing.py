"""Optimisers, learning rates and the clipping of gradients."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from hammingway.deep.config import Training
from hammingway.deep.networks.base import Network
from hammingway.deep.objectives.base import Objective

__all__ = ["clip", "make_optimizer", "rate_at", "set_rate"]


def make_optimizer(network: Network, objective: Objective, config: Training) -> torch.optim.Optimizer:
    """Return the configured optimiser of all parameters; those of factor 0 are frozen and left out."""
    groups: list[dict[str, Any]] = []
    for group in network.parameter_groups():
        if group.factor == 0:
            for parameter in group.parameters:
                parameter.requires_grad_(False)
        elif group.parameters:
            groups.append({"params": group.parameters, "factor": group.factor})
    if own := list(objective.parameters()):
        groups.append({"params": own, "factor": objective.learning_rate_factor})
    rate, decay = config.learning_rate, config.weight_decay
    match config.optimizer:
        case "adam":
            return torch.optim.Adam(groups, lr=rate, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, weight_decay=decay, momentum=config.momentum)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=rate, weight_decay=decay)


def rate_at(config: Training, step: int, total_steps: int, steps_per_epoch: int) -> float:
    """Return the learning rate of this step, counted from 0."""
    share = step / total_steps
    match config.schedule:
        case "cosine":
            factor = (1 + math.cos(math.pi * share)) / 2
        case "linear":
            factor = 1 - share
        case "step":
            factor = config.decay_factor ** (step // (config.decay_every * steps_per_epoch))
        case "constant":
            factor = 1.0
    if step < config.warmup_steps:
        factor *= (step + 1) / config.warmup_steps
    return config.learning_rate * factor


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of each group to ``rate`` times its factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def clip(model: nn.Module, norm: float) -> None:
    """Scale the gradients down to ``norm`` where theirs, over all parameters together, is larger."""
    torch.nn.utils.clip_grad_norm_(model.parameters(), norm)
