"""Batches are a pure function of seed and step, take every row once an epoch, and pair rows as asked."""

from __future__ import annotations

import pytest
import torch

from hammingway.deep.objectives.base import NoOptions, Objective, TaskShape
from hammingway.deep.sampling import Sampler
from hammingway.errors import InvalidInputError, ShapeError


def objective(sampling, n_rows=50, table=None, per_anchor=1):
    class Example(Objective):
        registry_name = "example"

        def forward(self, scores, batch):
            return scores.sum()

    Example.sampling = sampling
    Example.neighbors_per_anchor = per_anchor
    made = Example(NoOptions(), TaskShape(8, (3,), n_rows, None))
    made.neighbor_table = table
    return made


def sampler(sampling, *, n_rows=50, batch_size=16, labels=None, seed=0, **parts):
    return Sampler(objective(sampling, n_rows, **parts), labels, n_rows=n_rows, batch_size=batch_size, seed=seed)


@pytest.mark.parametrize(("n_rows", "batch_size"), [(2, 2), (3, 2), (7, 3), (50, 16), (50, 64), (129, 128), (128, 128)])
def test_each_epoch_takes_every_row_once_in_batches_of_nearly_equal_size(n_rows, batch_size):
    drawn = sampler("rows", n_rows=n_rows, batch_size=batch_size)
    for epoch in (0, 3):
        steps = range(epoch * drawn.steps_per_epoch, (epoch + 1) * drawn.steps_per_epoch)
        batches = [drawn.draw(step).rows for step in steps]
        sizes = {len(batch) for batch in batches}
        assert max(sizes) - min(sizes) <= 1
        assert min(sizes) >= 2
        assert max(sizes) <= max(batch_size, 3)
        assert torch.cat(batches).sort().values.tolist() == list(range(n_rows))


def test_epochs_have_different_orders_and_seeds_different_ones():
    drawn = sampler("rows", batch_size=64)
    assert drawn.draw(0).rows.tolist() != drawn.draw(1).rows.tolist()
    assert drawn.draw(0).rows.tolist() != sampler("rows", batch_size=64, seed=1).draw(0).rows.tolist()


@pytest.mark.parametrize("sampling", ["rows", "pairs", "views", "neighbors"])
def test_batch_depends_on_the_step_alone_and_not_on_the_ones_before(sampling):
    parts = {"table": torch.arange(50)[:, None] * torch.ones(4, dtype=torch.int64)} if sampling == "neighbors" else {}
    labels = torch.arange(50) % 3
    walked, jumped = (sampler(sampling, labels=labels, **parts) for _ in range(2))
    for step in range(10):
        walked.draw(step)
    assert walked.draw(10).rows.tolist() == jumped.draw(10).rows.tolist()


def test_pairs_are_two_different_rows_of_one_class():
    labels = torch.tensor([0, 1, 2, 3, 3] * 10)
    drawn = sampler("pairs", labels=labels, batch_size=16)
    for step in range(2 * drawn.steps_per_epoch):
        first, second = drawn.draw(step).rows.reshape(-1, 2).T
        assert torch.equal(labels[first], labels[second])
        assert not bool((first == second).any())


def test_every_other_row_of_the_class_becomes_a_partner_about_equally_often():
    labels = torch.tensor([0] * 5 + [1] * 45)
    drawn = sampler("pairs", labels=labels, batch_size=100)
    partners = [drawn.draw(step).rows.reshape(-1, 2) for step in range(400)]
    of_first = torch.cat([pairs[pairs[:, 0] == 0, 1] for pairs in partners])
    counts = torch.bincount(of_first, minlength=5)[:5]
    assert counts[0] == 0
    assert bool((counts[1:] > 60).all())  # 100 are expected, with a deviation of 9


def test_pairs_of_several_labels_share_one_and_a_row_alone_is_its_own_partner():
    labels = torch.zeros(6, 4)
    labels[[0, 1, 2], [0, 0, 1]] = 1
    labels[3, [1, 2]] = 1
    labels[4, 3] = 1  # alone with its label; row 5 has none
    drawn = sampler("pairs", n_rows=6, labels=labels, batch_size=12)
    for step in range(20):
        for first, second in drawn.draw(step).rows.reshape(-1, 2).tolist():
            assert first == second if first in (4, 5) else (labels[first] @ labels[second] > 0 and first != second)


@pytest.mark.parametrize("sampling", ["views", "pairs"])
def test_without_labels_a_pair_is_one_row_twice(sampling):
    first, second = sampler(sampling).draw(0).rows.reshape(-1, 2).T
    assert torch.equal(first, second)


def test_neighbors_stand_behind_their_anchors_and_come_from_the_table():
    table = (torch.arange(50)[:, None] + torch.arange(1, 6)) % 50
    drawn = sampler("neighbors", table=table, per_anchor=3).draw(0)
    n_anchors = len(drawn.neighbors)
    assert drawn.neighbors.shape == (n_anchors, 3)
    assert len(drawn.rows) == 4 * n_anchors <= 16
    for anchor, places in zip(drawn.rows[:n_anchors].tolist(), drawn.neighbors, strict=True):
        neighbors = drawn.rows[places].tolist()
        assert set(neighbors) <= set(table[anchor].tolist())
        assert len(set(neighbors)) == 3


def test_missing_or_narrow_table_of_neighbors_is_refused():
    with pytest.raises(ShapeError, match="must set neighbor_table"):
        sampler("neighbors")
    with pytest.raises(ShapeError, match="at least 3"):
        sampler("neighbors", table=torch.zeros(50, 2, dtype=torch.int64), per_anchor=3)


def test_batch_of_a_single_pair_is_refused():
    with pytest.raises(InvalidInputError, match="batch_size must be at least 4"):
        sampler("views", batch_size=3)
