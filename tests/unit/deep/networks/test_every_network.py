"""Every registered network: codes are a row's own, survive a file, and are the same in another runtime."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from hammingway import registry
from hammingway.deep import DeepHasher
from hammingway.hashers import load_hasher

N_BITS = 13
FROZEN = {"resize": None, "backbone_rate": 0.0}
# Options, and the shape of an image; None for vectors.
CASES = {
    "linear": ({}, None),
    "mlp": ({"hidden": [40], "batch_norm": True, "dropout": 0.3}, None),
    "autohash": ({"hidden": [40, 20]}, None),
    "dsh-cnn": ({"batch_norm": True}, (32, 32, 3)),
    "fast-mnist-cnn": ({}, (24, 24, 1)),
    "resnet18": ({"stem": "small", "resize": None}, (16, 16, 3)),
    "alexnet": (FROZEN, (63, 63, 3)),
    "vgg16": (FROZEN, (32, 32, 3)),
    "backbone": ({}, (32, 32, 3)),
}
LARGE = ("alexnet", "vgg16")


def parameters(names):
    return [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in names]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Return a function from a network's name to a hasher trained for a step, and the rows it was trained on."""
    known = {}

    def fit(name):
        if name not in known:
            options, shape = CASES[name]
            if name == "backbone":
                options = {"checkpoint": str(saved_transformer(tmp_path_factory.mktemp("vit")))}
            rng = np.random.default_rng(0)  # brightness differs, as noise alone averages out in a large network
            rows = (rng.random((70, 1)) * rng.integers(256, size=(70, np.prod(shape or 20)))).astype(np.uint8)
            hasher = DeepHasher(
                N_BITS,
                objective={"name": "autohash", "hidden": [8]},  # its thresholds halve the rows: no bit is idle
                network={"name": name, **options},
                training={"steps": 2, "batch_size": 8, "optimizer": "sgd"},
                image_shape=shape,
                random_state=0,
            )
            hasher.fit(rows)
            if name in LARGE:
                strengthen(hasher, rows)
            known[name] = hasher, rows
        return known[name]

    return fit


def strengthen(hasher, rows):
    """Give weights He's variance: by the usual start, what rows differ in is lost in rounding after 16 layers."""
    with torch.no_grad():
        for module in hasher.network_.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
                module.weight *= 6**0.5
    hasher.thresholds_ = np.zeros(N_BITS, np.float32)
    hasher._prepare()
    hasher.thresholds_ = np.median(hasher.project(rows), axis=0)


def saved_transformer(folder):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    configuration = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, image_size=32, patch_size=8
    )
    transformers.AutoModel.from_config(configuration).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.4] * 3, "image_std": [0.2] * 3}))
    return folder


def test_no_network_is_left_out():
    assert set(registry.names("networks")) <= CASES.keys()


@pytest.mark.parametrize("name", parameters(CASES))
def test_scores_are_a_rows_own_and_survive_a_file(fitted, tmp_path, name):
    hasher, rows = fitted(name)
    scores, order = hasher.project(rows), np.random.default_rng(1).permutation(len(rows))
    assert np.ptp(scores, axis=0).min() > 0
    assert_array_equal(hasher.project(rows[order]), scores[order])
    assert_array_equal(np.vstack([hasher.project(rows[:9]), hasher.project(rows[9:10])]), scores[:10])
    assert_array_equal(hasher.project(np.vstack([rows[:3], np.zeros_like(rows)]))[:3], scores[:3])
    hasher.save(tmp_path / "saved.hasher")
    assert_array_equal(load_hasher(tmp_path / "saved.hasher").project(rows), scores)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_exported_network_gives_the_same_codes(fitted, tmp_path, name):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    from hammingway.deep.onnx import export_onnx

    hasher, rows = fitted(name)
    export_onnx(hasher, tmp_path / "network.onnx")
    session = runtime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    for n in (1, 3, len(rows)):
        scores, codes = session.run(["scores", "codes"], {"x": rows[:n].astype(np.float32)})
        expected = hasher.project(rows[:n])
        assert_allclose(scores, expected, atol=1e-4 * np.abs(expected).max())
        sure = np.abs(expected) > 1e-4 * np.abs(expected).max()
        bits = np.unpackbits(codes, axis=1, bitorder="little")[:, :N_BITS]
        assert_array_equal(bits[sure], (expected > 0)[sure])
        assert sure.mean() > 0.9
