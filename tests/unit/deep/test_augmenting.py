"""Flips mirror about half the images, crops shift them by up to an eighth, noise has a tenth of the deviation."""

from __future__ import annotations

import numpy as np
import torch

from hammingway.deep.augmenting import crop, flip, make_augmentation
from hammingway.deep.batches import Rows
from hammingway.deep.seeds import generator


def test_flip_mirrors_whole_images_left_to_right():
    x = torch.randn(400, 2, 4, 5)
    flipped = flip(x, generator(0))
    same = [torch.equal(one, other) for one, other in zip(flipped, x, strict=True)]
    mirrored = [torch.equal(one, other.flip(2)) for one, other in zip(flipped, x, strict=True)]
    assert all(one != other for one, other in zip(same, mirrored, strict=True))
    assert 150 < sum(mirrored) < 250


def test_crop_shifts_each_image_by_up_to_an_eighth_and_fills_with_zeros():
    x = torch.rand(200, 3, 16, 24) + 1
    shifts = set()
    for one, other in zip(crop(x, generator(0)), x, strict=True):
        wide = torch.nn.functional.pad(other, (3, 3, 2, 2))
        candidates = [
            (down, right)
            for down in range(5)
            for right in range(7)
            if torch.equal(one, wide[:, down : down + 16, right : right + 24])
        ]
        assert len(candidates) == 1
        shifts.update(candidates)
    assert len(shifts) == 35


def test_noise_has_a_tenth_of_each_features_deviation():
    X = np.random.default_rng(0).normal(size=(3000, 3)) * [1.0, 10.0, 0.0]
    augment = make_augmentation("noise", Rows(X))
    x = torch.from_numpy(X).float()
    deviation = (augment(x, generator(0)) - x).std(dim=0)
    assert torch.allclose(deviation, torch.tensor([0.1, 1.0, 0.0]), rtol=0.1)


def test_same_generator_gives_the_same_images_and_no_augmentation_is_none():
    x, rows = torch.rand(10, 3, 8, 8), Rows(np.zeros((3, 192)), image_shape=(8, 8, 3))
    augment = make_augmentation("flip-crop", rows)
    assert torch.equal(augment(x, generator(1)), augment(x, generator(1)))
    assert not torch.equal(augment(x, generator(1)), augment(x, generator(2)))
    assert make_augmentation("none", rows) is None
