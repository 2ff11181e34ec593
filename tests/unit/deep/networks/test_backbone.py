import json
import shutil
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.deep import DeepHasher
from hammingway.deep.batches import Rows
from hammingway.deep.networks.backbone import BackboneNetwork, BackboneOptions
from hammingway.errors import ConfigError, FileFormatError, InvalidInputError, MissingExtraError
from hammingway.hashers import load_hasher


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setattr("hammingway.deep.networks.backbone.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"hammingway\[transformers\]"):
        BackboneNetwork(BackboneOptions(checkpoint="x"), (3, 32, 32), 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    configuration = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, image_size=32, patch_size=8
    )
    path = tmp_path_factory.mktemp("vit")
    transformers.AutoModel.from_config(configuration).save_pretrained(path)
    (path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.4] * 3, "image_std": [0.2] * 3}))
    return path


def images(n, side=32, channels=3):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, size=(n, side * side * channels), dtype=np.uint8)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_scores_are_a_linear_map_of_the_models_tokens(folder, pooling):
    from transformers import AutoModel

    network = BackboneNetwork(BackboneOptions(checkpoint=str(folder), pooling=pooling), (3, 32, 32), 9)
    rows = Rows(images(3), image_shape=(32, 32, 3))
    x = rows[:]
    network.prepare(rows, torch.Generator())
    network.eval()
    model = AutoModel.from_pretrained(folder).eval()
    tokens = model(pixel_values=(x / 255 - 0.4) / 0.2).last_hidden_state
    pooled = tokens[:, 0] if pooling == "first" else tokens.mean(dim=1)
    expected = pooled @ network.head.weight.T + network.head.bias
    assert_allclose(network(x).detach(), expected.detach(), rtol=1e-4, atol=1e-5)


def test_hasher_trains_the_head_alone_and_loads_without_the_folder(folder, tmp_path):
    copy = tmp_path / "vit"
    shutil.copytree(folder, copy)
    network = {"name": "backbone", "checkpoint": str(copy)}
    X, y = images(24, side=16, channels=1), np.arange(24) % 3
    hasher = DeepHasher(
        8, objective="csq", network=network, image_shape=(16, 16, 1), training={"epochs": 2}, random_state=0
    ).fit(X, y)
    from transformers import AutoModel

    published = AutoModel.from_pretrained(folder).state_dict()
    trained = hasher.network_.backbone.state_dict()
    assert all(torch.equal(trained[name], value) for name, value in published.items())
    hasher.save(tmp_path / "saved.hasher")
    shutil.rmtree(copy)
    assert_array_equal(load_hasher(tmp_path / "saved.hasher").encode(X).packed, hasher.encode(X).packed)


def test_folders_without_a_whole_model_are_refused(folder, tmp_path):
    with pytest.raises(FileFormatError, match="holds no model"):
        BackboneNetwork(BackboneOptions(checkpoint=str(tmp_path)), (3, 32, 32), 8)
    shutil.copy(folder / "config.json", tmp_path)
    network = BackboneNetwork(BackboneOptions(checkpoint=str(tmp_path)), (3, 32, 32), 8)
    with pytest.raises(FileFormatError, match="no readable weights"):
        network.prepare(Rows(images(3), image_shape=(32, 32, 3)), torch.Generator())
    with pytest.raises(InvalidInputError, match="needs checkpoint"):
        BackboneNetwork(BackboneOptions(), (3, 32, 32), 8)


@pytest.mark.parametrize("configuration", ["{}", "no JSON", '{"model_type": "none"}'])
def test_configurations_that_are_none_are_refused(folder, configuration):
    with pytest.raises(ConfigError, match="configuration"):
        BackboneNetwork(BackboneOptions(configuration=configuration), (3, 32, 32), 8)


def test_models_of_text_are_refused(tmp_path):
    transformers = pytest.importorskip("transformers")
    transformers.BertConfig(hidden_size=16, num_attention_heads=2).save_pretrained(tmp_path)
    with pytest.raises(InvalidInputError, match="takes no square images"):
        BackboneNetwork(BackboneOptions(checkpoint=str(tmp_path)), (3, 32, 32), 8)
