"""A misspelt or impossible option is an error with a suggestion, wherever it stands."""

from __future__ import annotations

import pytest

from hammingway.config import from_mapping
from hammingway.deep import DSH, DeepHasher, Training
from hammingway.errors import ConfigError, UnknownNameError


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"epoch": 3}, "Did you mean 'epochs'"),
        ({"learning_rat": 3}, "Did you mean 'learning_rate'"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": 1.5}, "epochs"),
        ({"batch_size": 1}, "batch_size"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"validation_share": 1.0}, "validation_share"),
        ({"optimizer": "adma"}, "optimizer"),
        ({"schedule": "cosin"}, "schedule"),
        ({"precision": "float16"}, "precision"),
        ({"clip_norm": 0}, "clip_norm"),
        ({"select": "accuracy"}, "select"),
        ({"patience": 0}, "patience"),
        ({"decay_factor": 2}, "decay_factor"),
        ({"deterministic": "yes"}, "deterministic"),
    ],
)
def test_training_option_that_cannot_be_used_is_refused(blobs, values, said):
    with pytest.raises(ConfigError, match=said):
        from_mapping(Training, values, where="training")
    with pytest.raises(ConfigError, match=said):
        DSH(8, training=values).fit(*blobs)


@pytest.mark.parametrize(
    ("parameters", "error", "said"),
    [
        ({"objective": "dhs"}, UnknownNameError, "Did you mean 'dsh'"),
        ({"objective": {"name": "dsh", "margn": 3}}, ConfigError, "Did you mean 'margin'"),
        ({"objective": {"name": "dsh", "margin": -3}}, ConfigError, "margin"),
        ({"objective": {"name": 3}}, ConfigError, "objective.name must be a text"),
        ({"network": "lineer"}, UnknownNameError, "Did you mean 'linear'"),
        ({"network": {"name": "mlp", "hiden": [3]}}, ConfigError, "Did you mean 'hidden'"),
        ({"network": {"hidden": [0]}}, ConfigError, "hidden"),
    ],
)
def test_objective_or_network_that_cannot_be_used_is_refused(blobs, parameters, error, said):
    with pytest.raises(error, match=said):
        DeepHasher(8, training={"epochs": 1}, **{"objective": "dsh", **parameters}).fit(*blobs)


def test_options_without_a_name_are_those_of_the_classs_own_objective_and_network(blobs):
    hasher = DSH(8, objective={"margin": 3.0}, network={"hidden": [5]}, training={"epochs": 1}, random_state=0)
    assert hasher.fit(*blobs).network_.options.hidden == (5,)
