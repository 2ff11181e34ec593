"""A step follows the gradient of the whole batch, however it is cut; what goes wrong is said at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.deep import DSH, DeepHasher, HashNet
from hammingway.deep.networks.mlp import MLP, MLPOptions
from hammingway.deep.objectives.dsh import DSHObjective, DSHOptions, dsh_loss
from hammingway.errors import ConfigError, InvalidInputError, TrainingError


def weights(hasher):
    return hasher._learned()


def assert_same_weights(one, other):
    assert weights(one).keys() == weights(other).keys()
    for name, array in weights(one).items():
        assert_array_equal(array, weights(other)[name], err_msg=name)


def assert_close_weights(one, other, tolerance):
    for name, array in weights(one).items():
        assert_allclose(array, weights(other)[name], atol=tolerance, err_msg=name)


def test_one_step_is_that_of_plain_gradient_descent(blobs):
    X, y = blobs
    budget = {"steps": 1, "batch_size": 200, "optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.1}
    hasher = DSH(6, random_state=0, training=budget).fit(X, y)
    never = {**budget, "learning_rate": 1e-30}
    start = DSH(6, random_state=0, training=never).fit(X, y).network_
    network = MLP(MLPOptions(), (12,), 6)
    network.load_state_dict(start.state_dict())
    labels = torch.from_numpy(y)
    loss = sum(dsh_loss(network(torch.from_numpy(X)), labels[:, None] == labels, margin=12.0, alpha=0.01))
    loss.backward()
    for (name, mine), theirs in zip(network.named_parameters(), hasher.network_.parameters(), strict=True):
        assert_allclose((mine - 0.1 * mine.grad).detach(), theirs.detach(), atol=1e-6, err_msg=name)
    assert hasher.training_log_[0]["loss"] == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.parametrize("kind", [DSH, HashNet])
@pytest.mark.parametrize("micro_batch_size", [1, 7, 16])
def test_micro_batches_leave_the_gradient_of_the_whole_batch(blobs, kind, micro_batch_size):
    X, y = blobs
    budget = {"epochs": 2, "batch_size": 40, "optimizer": "sgd", "learning_rate": 0.05}
    whole = kind(9, random_state=0, training=budget).fit(X, y)
    parts = kind(9, random_state=0, training={**budget, "micro_batch_size": micro_batch_size}).fit(X, y)
    assert_close_weights(whole, parts, 2e-6)
    assert weights(whole)["network.head.weight"].std() > 0.01


def test_micro_batch_as_large_as_the_batch_changes_no_bit(blobs):
    X, y = blobs
    for options in ({"name": "mlp", "batch_norm": True, "dropout": 0.5}, "linear"):
        whole = DSH(9, random_state=0, network=options, training={"epochs": 2, "batch_size": 40}).fit(X, y)
        parts = DSH(
            9, random_state=0, network=options, training={"epochs": 2, "batch_size": 40, "micro_batch_size": 40}
        ).fit(X, y)
        assert_same_weights(whole, parts)


@pytest.mark.parametrize("micro_batch_size", [1, 2])
def test_micro_batches_too_small_for_batch_normalisation_are_refused(blobs, micro_batch_size):
    training = {"epochs": 1, "batch_size": 15, "micro_batch_size": micro_batch_size}
    with pytest.raises(ConfigError, match="must be at least 3 for the network 'mlp', whose batch normalisation"):
        DSH(9, random_state=0, network={"name": "mlp", "batch_norm": True}, training=training).fit(*blobs)
    DSH(9, random_state=0, network="linear", training=training).fit(*blobs)
    DSH(
        9, random_state=0, network={"name": "mlp", "batch_norm": True}, training={**training, "micro_batch_size": 3}
    ).fit(*blobs)


def test_running_statistics_of_micro_batches_count_once(blobs):
    X, y = blobs
    network = {"name": "mlp", "batch_norm": True}
    budget = {"steps": 1, "batch_size": 200, "learning_rate": 1e-30, "micro_batch_size": 60}
    fitted = DSH(9, random_state=0, network=network, training=budget).fit(X, y).network_
    # Two micro-batches of 60 of the 120 rows: momentum 0.1 twice leaves 0.81 of the first mean, 0.
    with torch.no_grad():
        hidden = fitted.layers[0](fitted.standardize(torch.from_numpy(X)))
    share = fitted.layers[1].running_mean / hidden.mean(dim=0)
    assert float(share.median()) == pytest.approx(0.19, abs=0.01)


def test_same_seed_gives_the_same_weights_to_the_last_bit_and_another_seed_others(blobs):
    X, y = blobs
    options = {"name": "mlp", "dropout": 0.5, "batch_norm": True}
    budget = {"epochs": 3, "batch_size": 32, "augment": "noise", "validation_share": 0.2}
    one, same, other = (DSH(9, random_state=seed, network=options, training=budget).fit(X, y) for seed in (0, 0, 1))
    assert_same_weights(one, same)
    assert not np.array_equal(weights(one)["network.head.weight"], weights(other)["network.head.weight"])


def test_fit_leaves_torchs_own_random_numbers_and_settings_alone(blobs):
    X, y = blobs
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    DSH(9, random_state=0, network={"name": "mlp", "dropout": 0.5}, training={"epochs": 1}).fit(X, y)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_loss_falls(digits):
    log = HashNet(16, random_state=0, training={"epochs": 20}).fit(*digits).training_log_
    losses = [entry["loss"] for entry in log]
    assert losses[-1] < 0.5 * losses[0]
    assert [entry["epoch"] for entry in log] == list(range(1, 21))


def test_steps_count_instead_of_epochs(blobs):
    log = DSH(9, random_state=0, training={"steps": 7, "batch_size": 40}).fit(*blobs).training_log_
    assert [(entry["epoch"], entry["step"]) for entry in log] == [(1, 3), (2, 6), (3, 7)]


def test_best_epoch_is_kept_and_not_the_last(digits):
    objective = {"name": "hashnet", "sharpness": 0.05}  # the default depends on the length of the run
    budget = {"epochs": 12, "validation_share": 0.3, "learning_rate": 0.02, "batch_size": 32}
    whole = HashNet(8, random_state=0, objective=objective, training=budget).fit(*digits)
    best = int(np.argmax([entry["validation"]["map"] for entry in whole.training_log_]))
    assert best < 11  # or the example shows nothing
    shorter = {**budget, "steps": whole.training_log_[best]["step"]}
    assert_same_weights(whole, HashNet(8, random_state=0, objective=objective, training=shorter).fit(*digits))


def test_training_stops_early_after_patience_validations_without_a_new_best(digits):
    budget = {"epochs": 60, "validation_share": 0.3, "patience": 3, "learning_rate": 0.05}
    calls = []
    hasher = HashNet(8, random_state=0, training=budget).fit(
        *digits, progress=lambda done, total: calls.append((done, total))
    )
    values = [entry["validation"]["map"] for entry in hasher.training_log_]
    assert len(values) < 60
    assert len(values) - 1 - int(np.argmax(values)) == 3
    assert calls[-1][0] == calls[-1][1]


def test_validation_rows_are_not_trained_on(blobs):
    X, y = blobs
    seen = []

    class Spy(DSHObjective):
        def forward(self, scores, batch):
            seen.append(batch.x)
            return super().forward(scores, batch)

    import hammingway.deep.fitting as fitting

    load = fitting.registry.load
    try:
        fitting.registry.load = lambda kind, name: Spy if kind == "objectives" else load(kind, name)
        DSH(9, random_state=0, training={"epochs": 2, "validation_share": 0.25}).fit(X, y)
    finally:
        fitting.registry.load = load
    distinct = {tuple(row) for batch in seen for row in batch.tolist()}
    assert len(distinct) == 90


@pytest.mark.parametrize("select", ["map", "recall", "loss"])
def test_every_selection_can_be_asked_for(digits, select):
    budget = {"epochs": 2, "validation_share": 0.3, "select": select}
    measured = DSH(16, random_state=0, training=budget).fit(*digits).training_log_[-1]["validation"]
    assert set(measured) == {select, "bit_entropy"}
    assert 0 < measured["bit_entropy"] <= 1


def test_map_without_labels_is_refused(digits):
    X, _ = digits
    with pytest.raises(ConfigError, match="needs labels"):
        DeepHasher(8, objective="bihalf", training={"epochs": 1, "validation_share": 0.2, "select": "map"}).fit(X)


def test_loss_that_is_not_finite_is_an_error_with_step_and_remedy(blobs):
    X, y = blobs
    budget = {"epochs": 30, "optimizer": "sgd", "learning_rate": 1e12}
    with pytest.raises(TrainingError, match=r"the loss became (nan|inf) in step \d+ .*smaller learning_rate"):
        DSH(9, random_state=0, training=budget).fit(X, y)


def test_collapsed_code_is_an_error(blobs, digits):
    X, y = blobs
    with pytest.raises(TrainingError, match="the code collapsed"):
        DSH(9, random_state=0, training={"epochs": 1}).fit(np.ones_like(X), y)
    rate = {"epochs": 12, "optimizer": "sgd", "learning_rate": 0.2, "batch_size": 32, "validation_share": 0.3}
    with pytest.raises(TrainingError, match="the code collapsed: all of 210"):
        HashNet(8, random_state=0, objective={"sharpness": 50.0}, training=rate).fit(*digits)


def test_clipping_bounds_the_step(blobs):
    X, y = blobs
    budget = {"steps": 1, "batch_size": 200, "optimizer": "sgd", "momentum": 0.0, "learning_rate": 1.0}
    moved = []
    for clip in (None, 0.01):
        start = DSH(9, random_state=0, training={**budget, "learning_rate": 1e-30}).fit(X, y)
        end = DSH(9, random_state=0, training={**budget, "clip_norm": clip}).fit(X, y)
        pairs = zip(start.network_.parameters(), end.network_.parameters(), strict=True)
        moved.append(sum(((a - b) ** 2).sum().item() for a, b in pairs) ** 0.5)
    assert moved[0] > 0.1
    assert moved[1] == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear", "step"])
def test_every_optimizer_and_schedule_lowers_the_loss(blobs, optimizer, schedule):
    rate = 0.01 if optimizer == "sgd" else 0.002
    budget = {"epochs": 8, "optimizer": optimizer, "schedule": schedule, "learning_rate": rate, "batch_size": 40}
    log = DSH(9, random_state=0, training=budget).fit(*blobs).training_log_
    assert log[-1]["loss"] < log[0]["loss"]


def test_lower_precision_is_close_to_float32_and_leaves_float32_weights(digits):
    logs = []
    for precision in ("float32", "bfloat16"):
        hasher = DSH(16, random_state=0, training={"epochs": 3, "precision": precision}).fit(*digits)
        assert {array.dtype for array in weights(hasher).values()} == {np.dtype(np.float32)}
        logs.append([entry["loss"] for entry in hasher.training_log_])
    assert logs[0] != logs[1]
    assert_allclose(logs[0], logs[1], rtol=0.05)


def test_bit_entropy_of_the_log_is_that_of_the_scores(blobs):
    X, y = blobs
    hasher = DSH(9, random_state=0, training={"steps": 1, "batch_size": 200, "learning_rate": 1e-30}).fit(X, y)
    shares = (hasher.project(X) > 0).mean(axis=0)
    terms = [-share * np.log2(share) for share in itertools.chain(shares, 1 - shares) if share > 0]
    assert hasher.training_log_[0]["bit_entropy"] == pytest.approx(sum(terms) / 9)


def test_objective_that_needs_labels_says_so(blobs):
    with pytest.raises(InvalidInputError, match="requires y to be passed"):
        DSH(9, training={"epochs": 1}).fit(blobs[0])


def test_options_reach_the_objective():
    assert DSHOptions(alpha=0.5).alpha == 0.5


def test_algorithm_that_never_repeats_is_refused_unless_allowed(blobs, monkeypatch):
    from hammingway import registry

    class Scattering(DSHObjective):
        def forward(self, scores, batch):
            flat = scores.flatten()
            return super().forward(flat.clone().put_(torch.arange(len(flat)), flat).reshape(scores.shape), batch)

    load = registry.load
    monkeypatch.setattr(registry, "load", lambda kind, name: Scattering if kind == "objectives" else load(kind, name))
    with pytest.raises(ConfigError, match=r"^put_ .*set training\.deterministic to false"):
        DSH(8, random_state=0, training={"epochs": 1}).fit(*blobs)
    DSH(8, random_state=0, training={"epochs": 1, "deterministic": False}).fit(*blobs)
