"""Every purpose has random numbers of its own, and using them leaves no trace."""

from __future__ import annotations

import torch

from hammingway.deep.seeds import generator, seed_for, seeded


def test_seeds_depend_on_every_part_of_the_purpose():
    seeds = [
        seed_for(0),
        seed_for(1),
        seed_for(0, "a"),
        seed_for(0, "a", 1),
        seed_for(0, "a", 2),
        seed_for(0, "a", "12"),
    ]
    assert len(set(seeds)) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_generators_repeat():
    assert torch.equal(torch.rand(4, generator=generator(3, "x")), torch.rand(4, generator=generator(3, "x")))


def test_seeding_a_million_steps_keeps_nothing_in_memory():
    before = len(torch.cuda._queued_calls)
    for step in range(5):
        with seeded(0, "step", step):
            torch.rand(1)
    assert len(torch.cuda._queued_calls) == before


def test_default_generator_is_put_back():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with seeded(7, "step", 2):
        inside = torch.rand(3)
    with seeded(7, "step", 2):
        assert torch.equal(torch.rand(3), inside)
    assert torch.equal(torch.rand(3), expected)
