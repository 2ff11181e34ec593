import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.deep.batches import Batch, Rows
from hammingway.deep.objectives.autohash import (
    AutoHashNeighborsObjective,
    AutoHashNeighborsOptions,
    AutoHashObjective,
    AutoHashOptions,
    balance_loss,
    balanced_thresholds,
    cosine_reconstruction_loss,
    decorrelation_loss,
    nearest_other,
    probe_loss,
    ranking_loss,
    spreading_loss,
)
from hammingway.deep.objectives.base import TaskShape
from hammingway.errors import InvalidInputError

WIDTHS = pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 22, 65])


def scores_of(n, n_bits, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, n_bits)).astype(np.float32))


def units_of(n, n_bits, seed=0):
    return torch.nn.functional.normalize(scores_of(n, n_bits, seed), dim=1)


@WIDTHS
def test_balance_and_decorrelation_equal_their_formulas(n_bits):
    soft = torch.tanh(scores_of(10, n_bits))
    h = soft.numpy().astype(float)
    assert_allclose(balance_loss(soft), sum(np.mean(h[:, j]) ** 2 for j in range(n_bits)) / n_bits, rtol=1e-4)
    total = 0.0
    for i in range(n_bits):
        for j in range(n_bits):
            total += (np.mean(h[:, i] * h[:, j]) - (i == j)) ** 2
    assert_allclose(decorrelation_loss(soft), total / n_bits, rtol=1e-4)


@WIDTHS
def test_reconstruction_ranking_and_spreading_equal_their_formulas(n_bits):
    f, near, far = (units_of(6, n_bits, seed) for seed in range(3))
    a, b, c = (units.numpy().astype(float) for units in (f, near, far))
    assert_allclose(cosine_reconstruction_loss(near * 3, f), np.mean([1 - a[i] @ b[i] for i in range(6)]), atol=1e-6)
    hinges = [max(np.linalg.norm(a[i] - b[i] + 1e-6) - np.linalg.norm(a[i] - c[i] + 1e-6), 0) for i in range(6)]
    assert_allclose(ranking_loss(f, near, far), np.mean(hinges), rtol=1e-4, atol=1e-6)
    nearest = [max(min(np.linalg.norm(a[i] - a[j]) for j in range(6) if j != i), 1e-4) for i in range(6)]
    assert_allclose(spreading_loss(f), -np.mean(np.log(nearest)), rtol=1e-3)


@WIDTHS
def test_probe_loss_has_a_hinge_on_each_side_of_the_radius(n_bits):
    h, near, far = (torch.tanh(3 * scores_of(6, n_bits, seed)) for seed in range(3))
    total = 0.0
    for i in range(6):
        close = (n_bits - float(h[i] @ near[i])) / 2
        away = (n_bits - float(h[i] @ far[i])) / 2
        total += max(close - 4, 0) + 0.5 * max(5 - away, 0)
    assert_allclose(probe_loss(h, near, far, radius=4, negative_weight=0.5), total / 6, rtol=1e-4)


def test_spreading_of_duplicates_is_finite_with_a_finite_gradient():
    units = torch.ones(3, 4, requires_grad=True)
    loss = spreading_loss(torch.nn.functional.normalize(units, dim=1))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(units.grad).all()


def test_negative_is_the_nearest_row_that_is_not_forbidden():
    units = units_of(8, 5)
    forbidden = torch.rand(8, 8, generator=torch.Generator().manual_seed(0)) < 0.4
    for rank in (1, 2, 20):
        places = nearest_other(units, forbidden, rank=rank).tolist()
        for i in range(8):
            allowed = sorted(
                (j for j in range(8) if j != i and not forbidden[i, j]), key=lambda j, i=i: -float(units[i] @ units[j])
            )
            assert places[i] == allowed[min(rank, len(allowed)) - 1]


@pytest.mark.parametrize("n", [1, 2, 7, 10])
def test_balanced_thresholds_leave_half_the_rows_above(n):
    scores = scores_of(n, 9)
    assert_array_equal((scores > balanced_thresholds(scores)).sum(dim=0), n // 2)


def test_autoencoder_loss_is_the_weighted_sum_about_the_learnt_thresholds():
    options = AutoHashOptions(quantisation=0.2, balance=0.3, decorrelation=0.4, sharpness=(1.0, 4.0), hidden=(16,))
    objective = AutoHashObjective(options, TaskShape(7, (12,), 20, None))
    objective.margin.data.uniform_(-0.1, 0.1)
    scores, x = scores_of(20, 7), units_of(20, 12, seed=1)
    batch = Batch(rows=torch.arange(20), x=x, labels=None, step=5, total_steps=10)
    soft = torch.tanh(2.0 * (scores - objective.margin))
    hard = torch.where(soft > 0, 1.0, -1.0)
    expected = (
        cosine_reconstruction_loss(objective.decoder(hard), x)
        + 0.2 * ((soft - hard) ** 2).mean()
        + 0.3 * balance_loss(soft)
        + 0.4 * decorrelation_loss(soft)
    )
    assert_allclose(objective(scores, batch).item(), expected.item(), rtol=1e-5)
    assert set(objective.terms) == {"reconstruction", "quantisation", "balance", "decorrelation"}


def test_decoder_mirrors_the_published_encoder():
    objective = AutoHashObjective(AutoHashOptions(), TaskShape(22, (1536,), 20, None))
    assert sum(weights.numel() for weights in objective.decoder.parameters()) == 965_728
    assert isinstance(objective.decoder[-1], torch.nn.Tanh)


@pytest.mark.parametrize("kind", [AutoHashObjective, AutoHashNeighborsObjective])
def test_thresholds_halve_the_rows_or_are_the_learnt_ones(kind):
    scores = scores_of(11, 7)
    balanced = kind(kind.Options(), TaskShape(7, (12,), 20, None))
    assert_array_equal((scores > balanced.thresholds(scores)).sum(dim=0), np.full(7, 5))
    learned = kind(kind.Options(threshold="learned"), TaskShape(7, (12,), 20, None))
    learned.margin.data.fill_(0.25)
    assert_array_equal(learned.thresholds(scores), np.full(7, 0.25))


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(1, 3)),
        elements=st.floats(-4, 4, width=32) | st.sampled_from([np.float32(0.0), np.nextafter(np.float32(0), 1)]),
    )
)
def test_balanced_thresholds_halve_the_rows_as_evenly_as_ties_allow_and_lie_on_no_score(scores):
    thresholds = balanced_thresholds(torch.from_numpy(scores)).numpy()
    for bit, threshold in zip(scores.T, thresholds, strict=True):
        values = np.unique(bit)
        evenness = [abs((bit > value).sum() - len(bit) / 2) for value in values[:-1]]
        assert abs((bit > threshold).sum() - len(bit) / 2) == min(evenness, default=len(bit) / 2)
        lower, upper = values[values <= threshold][-1], values[values > threshold][:1]
        assert threshold > lower or len(values) == 1 or np.nextafter(lower, upper) == upper


def neighbor_batch(objective, x, n_anchors):
    objective.prepare(Rows(x.numpy()), None, torch.Generator())
    anchors = torch.arange(n_anchors)
    rows = torch.cat([anchors, objective.neighbor_table[anchors, 0]])
    places = torch.arange(n_anchors, 2 * n_anchors)[:, None]
    return Batch(rows=rows, x=x[rows], labels=None, neighbors=places)


def test_neighbor_loss_ranks_true_neighbours_before_the_nearest_other_row():
    options = AutoHashNeighborsOptions(n_neighbors=3, probe_radius=2, sharpness=(2.0, 2.0))
    objective = AutoHashNeighborsObjective(options, TaskShape(7, (5,), 30, None))
    x = scores_of(30, 5)
    batch = neighbor_batch(objective, x, 12)
    scores = scores_of(24, 7, seed=2)
    units, soft = torch.nn.functional.normalize(scores, dim=1), torch.tanh(2 * scores)
    negatives = []
    for i in range(12):
        neighbors = objective.neighbor_table[i].tolist()
        others = [j for j in range(12) if j != i and j not in neighbors]
        negatives.append(max(others, key=lambda j, i=i: float(units[i] @ units[j])))
    expected = (
        ranking_loss(units[:12], units[12:], units[negatives])
        + 0.1 * spreading_loss(units[:12])
        + 0.1 * probe_loss(soft[:12], soft[12:], soft[negatives], radius=2, negative_weight=1.0)
    )
    assert_allclose(objective(scores, batch).item(), expected.item(), rtol=1e-5)


def test_neighbor_loss_rebuilds_the_input_where_asked_to():
    shape, x = TaskShape(7, (5,), 30, None), scores_of(30, 5)
    plain = AutoHashNeighborsObjective(AutoHashNeighborsOptions(n_neighbors=3), shape)
    options = AutoHashNeighborsOptions(n_neighbors=3, reconstruction=0.5, hidden=(4,))
    objective = AutoHashNeighborsObjective(options, shape)
    plain.margin.data.uniform_(-0.2, 0.2, generator=torch.Generator().manual_seed(0))
    objective.margin.data.copy_(plain.margin)
    batch, scores = neighbor_batch(plain, x, 12), scores_of(24, 7, seed=2).requires_grad_()
    neighbor_batch(objective, x, 12)
    hard = torch.where(scores > objective.margin, 1.0, -1.0)
    expected = plain(scores, batch) + 0.5 * cosine_reconstruction_loss(objective.decoder(hard), batch.x)
    loss = objective(scores, batch)
    assert_allclose(loss.item(), expected.item(), rtol=1e-5)
    assert objective.terms["reconstruction"] > 0
    loss.backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in objective.parameters())
    assert plain.state_dict().keys() == {"margin"}


def test_neighbour_table_holds_the_largest_cosines():
    objective = AutoHashNeighborsObjective(AutoHashNeighborsOptions(n_neighbors=3), TaskShape(7, (5,), 30, None))
    x = scores_of(30, 5)
    objective.prepare(Rows(x.numpy()), None, torch.Generator())
    units = x.numpy() / np.linalg.norm(x, axis=1, keepdims=True)
    for i in range(30):
        cosines = units @ units[i]
        cosines[i] = -math.inf
        assert_array_equal(objective.neighbor_table[i], np.argsort(-cosines)[:3])


def test_batches_without_neighbours_are_refused():
    objective = AutoHashNeighborsObjective(AutoHashNeighborsOptions(), TaskShape(7, (5,), 30, None))
    with pytest.raises(InvalidInputError, match="their neighbours"):
        objective(torch.zeros(4, 7), Batch(rows=torch.arange(4), x=torch.zeros(4, 5), labels=None))
