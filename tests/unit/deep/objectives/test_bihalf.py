import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from hammingway import registry
from hammingway.deep import BiHalf
from hammingway.deep.batches import Batch, Rows
from hammingway.deep.networks.base import make_network
from hammingway.deep.objectives.base import TaskShape
from hammingway.deep.objectives.bihalf import BiHalfObjective, BiHalfOptions, cosine_matching_loss, half_and_half
from hammingway.errors import InvalidInputError


def scores_of(n, n_bits, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, n_bits)).astype(np.float32))


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 63, 64, 65])
@pytest.mark.parametrize("n", [2, 5, 8])
def test_the_larger_half_of_every_bit_is_one(n, n_bits):
    scores = scores_of(n, n_bits)
    expected = np.full((n, n_bits), -1.0)
    for bit in range(n_bits):
        for row in sorted(range(n), key=lambda row: -scores[row, bit].item())[: n // 2]:
            expected[row, bit] = 1
    assert_array_equal(half_and_half(scores, gamma=6.0).numpy(), expected)


def test_equal_scores_are_split_by_their_place():
    assert_array_equal(half_and_half(torch.zeros(5, 2), gamma=1.0)[:, 0].numpy(), [1, 1, -1, -1, -1])


def test_gradient_is_passed_through_with_the_pull_to_the_code():
    scores, weights = scores_of(6, 3).requires_grad_(), scores_of(6, 3, seed=1)
    codes = half_and_half(scores, gamma=6.0)
    (codes * weights).sum().backward()
    expected = weights + 6.0 * (scores - codes).detach() / 18
    assert_allclose(scores.grad, expected, rtol=1e-6)


@pytest.mark.parametrize("n", [2, 3, 8, 9])
def test_loss_equals_the_formula_pair_by_pair(n):
    rng = np.random.default_rng(0)
    codes, inputs = np.sign(rng.normal(size=(n, 5))), rng.normal(size=(n, 4))
    errors = []
    for i in range(n // 2):
        j = n // 2 + i
        b = codes[i] @ codes[j] / (np.linalg.norm(codes[i]) * np.linalg.norm(codes[j]))
        v = inputs[i] @ inputs[j] / (np.linalg.norm(inputs[i]) * np.linalg.norm(inputs[j]))
        errors.append((b - v) ** 2)
    assert_allclose(cosine_matching_loss(torch.tensor(codes), torch.tensor(inputs)), np.mean(errors), rtol=1e-6)


def batch_of(x):
    return Batch(rows=torch.arange(len(x)), x=x, labels=None)


def test_centring_uses_the_mean_of_the_training_part():
    x = scores_of(10, 4) + 5
    objective = BiHalfObjective(BiHalfOptions(center=True), TaskShape(3, (4,), 10, None))
    objective.prepare(Rows(x.numpy()), None, torch.Generator())
    scores = scores_of(10, 3)
    codes = half_and_half(scores, gamma=6.0)
    expected = cosine_matching_loss(codes, x - x.mean(dim=0))
    assert_allclose(objective(scores, batch_of(x)), expected, rtol=1e-5)
    assert set(objective.terms) == {"cosine", "quantisation"}


def test_one_row_has_no_pair():
    objective = BiHalfObjective(BiHalfOptions(), TaskShape(3, (4,), 10, None))
    with pytest.raises(InvalidInputError, match="at least 2 rows"):
        objective(torch.zeros(1, 3), batch_of(torch.zeros(1, 4)))


FROZEN = {"name": "resnet18", "stem": "small", "backbone_rate": 0}


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(40, 8 * 8 * 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["bihalf", "greedyhash-unsupervised"])
def test_cosines_of_codes_are_compared_with_those_of_a_backbones_features(images, name):
    x = Rows(images, image_shape=(8, 8, 3))[:] / 255
    options = {option: value for option, value in FROZEN.items() if option != "name"}
    network = make_network("resnet18", options, input_shape=(3, 8, 8), n_bits=6).train()
    kind = registry.load("objectives", name)
    objective = kind(kind.Options(compare="features"), TaskShape(6, (3, 8, 8), 40, None))
    objective.attach(network)
    scores = scores_of(40, 6).requires_grad_()
    objective(scores, batch_of(x)).backward()
    features = network.represent(x).detach()
    codes = half_and_half(scores.detach(), gamma=6.0) if name == "bihalf" else torch.sign(scores.detach())
    assert features.shape == (40, 512)
    assert_allclose(objective.terms["cosine"], cosine_matching_loss(codes, features), rtol=1e-4)
    assert network.layer1[0].conv1.weight.grad is None
    assert objective.state_dict().keys() == {"mean"}  # the network is kept once


def test_a_frozen_backbone_is_compared_with_and_left_as_it_is(images):
    hashers = [
        BiHalf(
            6, objective={"compare": "features"}, network=FROZEN, image_shape=(8, 8, 3), random_state=0,
            training={"steps": steps, "batch_size": 40},
        ).fit(images)
        for steps in (1, 3)
    ]  # fmt: skip
    one, three = (hasher.network_.state_dict() for hasher in hashers)
    changed = {name for name in one if not torch.equal(one[name], three[name])}
    assert changed and all(name.startswith("head.") for name in changed)


def test_features_are_refused_without_a_frozen_backbone_and_are_not_centred(images):
    for network in ("dsh-cnn", {**FROZEN, "backbone_rate": 0.1}):
        with pytest.raises(InvalidInputError, match="needs a backbone that stays as it is"):
            BiHalf(6, objective={"compare": "features"}, network=network, image_shape=(8, 8, 3)).fit(images)
    with pytest.raises(InvalidInputError, match="center is for inputs"):
        BiHalf(6, objective={"compare": "features", "center": True}, network=FROZEN, image_shape=(8, 8, 3)).fit(images)
