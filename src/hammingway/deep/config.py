"""What a training run is told: frozen structs, read from TOML, JSON or a dict; a misspelt key is an error."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from hammingway.config import Config

__all__ = ["Training"]

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]


class Training(Config, frozen=True):
    """How a network is trained; everything but the data, the network and the objective.

    Parameters
    ----------
    epochs : passes over the training part, >= 1.
    steps : optimiser steps in all; if given, it counts instead of ``epochs``.
    batch_size : rows a step, >= 2.
    micro_batch_size : rows that go through the network at once; None for the whole batch. The gradient stays that
        of the whole batch (batch normalisation sees the smaller one).
    optimizer : 'adam', 'adamw', 'sgd' or 'rmsprop'.
    learning_rate : of the first step, > 0; networks multiply it for their parts (backbone, head).
    momentum : of 'sgd', in [0, 1).
    weight_decay : >= 0; decoupled for 'adamw', an L2 term for the others.
    schedule : 'constant'; 'cosine' and 'linear' fall to zero at the last step; 'step' multiplies by ``decay_factor``
        after each ``decay_every`` epochs.
    warmup_steps : steps over which the rate rises linearly from zero, >= 0.
    decay_every, decay_factor : for the schedule 'step'.
    clip_norm : gradients of a larger norm over all parameters are scaled down to it; None for no clipping.
    precision : 'float32' or 'bfloat16', the type of the network's products; weights and losses stay float32.
    augment : what is done to images before the network sees them: 'none', 'flip' (left-right) or 'flip-crop' (flip,
        and shift by up to an eighth of height and width); or 'noise', a tenth of each feature's deviation, for vectors.
    validation_share : share of the training rows kept aside to choose the best epoch, in [0, 1); 0 for none.
    validate_every : epochs between two validations, >= 1.
    select : what is the best epoch: 'map' (mean average precision by labels), 'recall' (of the 10 nearest rows among
        the first 100 codes) or 'loss' (the objective's own, of the validation rows); 'auto' is 'map' with labels,
        else 'recall'. Without validation rows the last epoch is taken.
    patience : validations without a new best after which training stops; None to never stop early.
    deterministic : use only algorithms that give the same bits every time; slower on a GPU.
    device : 'cpu', 'cuda' or 'cuda:0' and so on.
    """

    epochs: Count = 50
    steps: Count | None = None
    batch_size: Annotated[int, Meta(ge=2)] = 128
    micro_batch_size: Count | None = None
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    learning_rate: Positive = 1e-3
    momentum: Share = 0.9
    weight_decay: NotNegative = 0.0
    schedule: Literal["constant", "cosine", "linear", "step"] = "constant"
    warmup_steps: Annotated[int, Meta(ge=0)] = 0
    decay_every: Count = 10
    decay_factor: Annotated[float, Meta(gt=0, le=1)] = 0.1
    clip_norm: Positive | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    augment: Literal["none", "flip", "flip-crop", "noise"] = "none"
    validation_share: Share = 0.0
    validate_every: Count = 1
    select: Literal["auto", "map", "recall", "loss"] = "auto"
    patience: Count | None = None
    deterministic: bool = True
    device: str = "cpu"
