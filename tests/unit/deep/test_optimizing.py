"""Learning rates follow their schedules, and each part of a network its own factor."""

from __future__ import annotations

import pytest
import torch

from hammingway.deep.config import Training
from hammingway.deep.networks.base import ParameterGroup
from hammingway.deep.networks.mlp import MLP, MLPOptions
from hammingway.deep.objectives.base import NoOptions, Objective, TaskShape
from hammingway.deep.optimizing import make_optimizer, rate_at, set_rate


class Learnt(Objective):
    registry_name = "learnt"
    learning_rate_factor = 5.0

    def __init__(self, options, shape):
        super().__init__(options, shape)
        self.centre = torch.nn.Parameter(torch.zeros(3))

    def forward(self, scores, batch):
        return scores.mean()


class Parts(MLP):
    def parameter_groups(self):
        return [ParameterGroup(list(self.layers.parameters()), 0.0), ParameterGroup(list(self.head.parameters()), 10.0)]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1, 1, 1, 1]),
        ("linear", [1, 0.75, 0.5, 0.25]),
        ("cosine", [1, 0.8536, 0.5, 0.1464]),
        ("step", [1, 1, 0.1, 0.1]),
    ],
)
def test_rate_follows_its_schedule(schedule, expected):
    config = Training(schedule=schedule, learning_rate=2.0, decay_every=5)
    rates = [rate_at(config, step, 400, 40) for step in (0, 100, 200, 300)]
    assert rates == pytest.approx([2 * share for share in expected], rel=1e-3)


def test_rate_rises_linearly_while_warming_up():
    config = Training(learning_rate=1.0, warmup_steps=4)
    assert [rate_at(config, step, 100, 10) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_parts_have_their_own_rates_and_factor_zero_freezes(optimizer):
    network = Parts(MLPOptions(hidden=(4,)), (3,), 2)
    objective = Learnt(NoOptions(), TaskShape(2, (3,), 10, None))
    made = make_optimizer(network, objective, Training(optimizer=optimizer, weight_decay=0.01))
    set_rate(made, 0.1)
    assert [group["lr"] for group in made.param_groups] == pytest.approx([1.0, 0.5])
    assert [group["weight_decay"] for group in made.param_groups] == [0.01, 0.01]
    assert not any(parameter.requires_grad for parameter in network.layers.parameters())
    assert all(parameter.requires_grad for parameter in network.head.parameters())
