import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hammingway.deep.networks.images import copy_weights, image_shape, read_weights
from hammingway.errors import FileFormatError, ShapeError


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.ModuleDict({"body": nn.Linear(3, 2), "norm": nn.BatchNorm1d(2), "head": nn.Linear(2, 4)})


def published(**changes):
    weights = {"body.weight": torch.ones(2, 3), "body.bias": torch.ones(2), "fc.weight": torch.ones(9, 2)}
    weights |= {f"norm.{name}": torch.full((2,), 3.0) for name in ("weight", "bias", "running_mean", "running_var")}
    return {name: value for name, value in (weights | changes).items() if value is not None}


def copy(network, path):
    copy_weights(network, path, own=("head.",), spare=("fc.",))


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_are_copied_but_for_head_and_classifier(network, tmp_path, suffix):
    path = tmp_path / f"weights.{suffix}"
    save_file(published(), path) if suffix == "safetensors" else torch.save(published(), path)
    head = network["head"].weight.clone()
    copy(network, path)
    assert torch.equal(network["body"].weight, torch.ones(2, 3))
    assert torch.equal(network["norm"].running_var, torch.full((2,), 3.0))
    assert torch.equal(network["head"].weight, head)


def test_misfits_are_all_named(network, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(published(**{"body.bias": None, "more": torch.ones(1), "body.weight": torch.ones(3, 3)}), path)
    with pytest.raises(FileFormatError) as caught:
        copy(network, path)
    message = str(caught.value)
    assert "lacks body.bias" in message
    assert "has no use for more" in message
    assert "another shape of body.weight ((3, 3) for (2, 3))" in message
    assert network["body"].bias.abs().max() < 1  # nothing was copied


def test_of_many_misfits_some_are_named(network, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(published(**{f"x{number}": torch.ones(1) for number in range(9)}), path)
    with pytest.raises(FileFormatError, match="x4 and 4 more"):
        copy(network, path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("weights.safetensors", b"nonsense"), ("weights.pth", b"nonsense"), ("weights.pth", b"")],
)
def test_damaged_files_are_one_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match="not a readable file of weights"):
        read_weights(tmp_path / name)


def test_missing_files_and_whole_models_are_refused(tmp_path):
    with pytest.raises(FileFormatError, match="is not there"):
        read_weights(tmp_path / "none.pth")
    torch.save({"epoch": 3, "weights": torch.ones(1)}, tmp_path / "more.pth")
    with pytest.raises(FileFormatError, match="state_dict alone"):
        read_weights(tmp_path / "more.pth")
    torch.save(nn.Linear(2, 2), tmp_path / "model.pth")  # code, which is never run
    with pytest.raises(FileFormatError, match="not a readable file of weights"):
        read_weights(tmp_path / "model.pth")


@pytest.mark.parametrize(
    ("n_values", "in_python", "in_shell"),
    [(784, "(28, 28, 1)", "[28,28,1]"), (3072, "(32, 32, 3)", "[32,32,3]"), (12, "(2, 2, 3)", "[2,2,3]")],
)
def test_vectors_that_may_be_square_images_are_refused_with_the_shape_to_give(n_values, in_python, in_shell):
    with pytest.raises(ShapeError) as refusal:
        image_shape("x", (n_values,))
    assert f"as in image_shape={in_python}, in the shell --param image_shape={in_shell}, or" in str(refusal.value)


def test_vectors_and_too_small_images_are_refused():
    assert image_shape("x", (3, 8, 9)) == (3, 8, 9)
    with pytest.raises(ShapeError, match=r"takes images; .* \(height, width, channels\), or take"):
        image_shape("x", (13,))
    with pytest.raises(ShapeError, match="at least 8 x 8; got 7 x 9"):
        image_shape("x", (3, 7, 9), least=8)


@pytest.mark.parametrize("content", [b"hello", b"version https://git-lfs.github.com/spec/v1", b"<!DOCTYPE html>"])
def test_text_in_the_place_of_weights_is_refused(tmp_path, content):
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(FileFormatError, match="is not a readable file of weights"):
        read_weights(tmp_path / "weights.pth")


def test_weights_by_number_are_refused(tmp_path):
    torch.save({1: torch.zeros(2)}, tmp_path / "weights.pth")
    with pytest.raises(FileFormatError, match="more than tensors by name"):
        read_weights(tmp_path / "weights.pth")
