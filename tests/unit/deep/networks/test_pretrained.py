import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors.torch import save_file
from torch.nn import functional

from hammingway.deep.batches import Rows
from hammingway.deep.networks.alexnet import AlexNet, AlexNetOptions
from hammingway.deep.networks.resnet18 import ResNet18, ResNet18Options
from hammingway.deep.networks.vgg16 import VGG16, VGG16Options
from hammingway.errors import FileFormatError, InvalidInputError, ShapeError

CHANNELS = (64, 128, 256, 512)
NORM = ("weight", "bias", "running_mean", "running_var")


def torchvision_resnet18():
    """Return name and shape of torchvision's resnet18 weights, written from its documentation."""
    shapes = {"conv1.weight": (64, 3, 7, 7), **{f"bn1.{name}": (64,) for name in NORM}}
    before = 64
    for stage, wide in enumerate(CHANNELS, start=1):
        for block in (0, 1):
            name, inner = f"layer{stage}.{block}", before if block == 0 else wide
            shapes[f"{name}.conv1.weight"], shapes[f"{name}.conv2.weight"] = (wide, inner, 3, 3), (wide, wide, 3, 3)
            shapes |= {f"{name}.bn{number}.{one}": (wide,) for number in (1, 2) for one in NORM}
            if inner != wide:
                shapes[f"{name}.downsample.0.weight"] = (wide, inner, 1, 1)
                shapes |= {f"{name}.downsample.1.{one}": (wide,) for one in NORM}
        before = wide
    return shapes | {"fc.weight": (1000, 512), "fc.bias": (1000,)}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: torch.rand(shape, generator=generator) + 0.5
        if name.endswith("running_var")
        else torch.randn(shape, generator=generator) / np.sqrt(max(1, np.prod(shape[1:])))
        for name, shape in torchvision_resnet18().items()
    }
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(weights, path)
    return path, weights


def normalised(weights, name, x):
    mean, variance, scale, shift = (
        weights[f"{name}.{one}"][:, None, None] for one in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


def reference_features(weights, x):
    x = functional.conv2d(x, weights["conv1.weight"], stride=2, padding=3)
    x = functional.max_pool2d(normalised(weights, "bn1", x).relu(), 3, stride=2, padding=1)
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            inner = functional.conv2d(x, weights[f"{name}.conv1.weight"], stride=stride, padding=1)
            inner = normalised(weights, f"{name}.bn1", inner).relu()
            inner = normalised(
                weights, f"{name}.bn2", functional.conv2d(inner, weights[f"{name}.conv2.weight"], padding=1)
            )
            if f"{name}.downsample.0.weight" in weights:
                x = functional.conv2d(x, weights[f"{name}.downsample.0.weight"], stride=stride)
                x = normalised(weights, f"{name}.downsample.1", x)
            x = (inner + x).relu()
    return x.mean(dim=(2, 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_resnet18_with_torchvisions_weights_gives_its_features(checkpoint, channels):
    path, weights = checkpoint
    options = ResNet18Options(checkpoint=str(path), normalize_scores=False)
    network = ResNet18(options, (channels, 48, 40), 16)
    rows = np.random.default_rng(0).integers(0, 256, size=(3, 48 * 40 * channels), dtype=np.uint8)
    data = Rows(rows, image_shape=(48, 40, channels))
    network.prepare(data, torch.Generator())
    network.eval()
    x = data[:].expand(-1, 3, -1, -1) / 255
    x = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    expected = reference_features(weights, x) @ network.head.weight.T + network.head.bias
    assert_allclose(network(data[:]).detach(), expected.detach(), rtol=1e-3, atol=1e-3)


def test_weights_of_another_network_are_refused(checkpoint, tmp_path):
    _, weights = checkpoint
    path = tmp_path / "other.safetensors"
    save_file({name: value for name, value in weights.items() if not name.startswith("layer3.1")}, path)
    network = ResNet18(ResNet18Options(checkpoint=str(path)), (3, 32, 32), 16)
    with pytest.raises(FileFormatError, match=r"lacks layer3\.1\.bn1\.bias"):
        network.prepare(Rows(np.full((2, 32 * 32 * 3), 255), image_shape=(32, 32, 3)), torch.Generator())


@pytest.mark.parametrize("stem", ["imagenet", "mnist", "small"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_stems_differ_in_how_much_they_shrink(stem, shape):
    network = ResNet18(ResNet18Options(stem=stem), shape, 9).eval()
    side = shape[1]
    expected = {"imagenet": -(-side // 4), "mnist": -(-side // 2), "small": side}[stem]
    assert network.maxpool(network.conv1(torch.zeros(1, *shape))).shape[2] == expected
    assert network(torch.zeros(2, *shape)).shape == (2, 9)


def test_parameters_are_in_one_group_each_and_the_backbone_is_slower():
    network = ResNet18(ResNet18Options(backbone_rate=0.1), (3, 32, 32), 16)
    backbone, head = network.parameter_groups()
    assert (backbone.factor, head.factor) == (0.1, 1.0)
    grouped = [id(parameter) for group in (backbone, head) for parameter in group.parameters]
    assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())
    assert {id(parameter) for parameter in network.head.parameters()} == {id(one) for one in head.parameters}


def test_a_kept_backbone_stays_in_evaluation_mode_while_the_head_trains():
    network = ResNet18(ResNet18Options(backbone_rate=0), (3, 32, 32), 16).train()
    assert not network.bn1.training and not network.layer4.training
    assert network.head.training
    mean = network.bn1.running_mean.clone()
    network(torch.ones(4, 3, 32, 32))
    assert torch.equal(network.bn1.running_mean, mean)
    assert ResNet18(ResNet18Options(), (3, 32, 32), 16).train().bn1.training


def shapes_of(kind, options):
    with torch.device("meta"):
        network = kind(options, (3, 224, 224), 16)
    own = ("head.", "standardize.")
    return {name: tuple(value.shape) for name, value in network.state_dict().items() if not name.startswith(own)}


def test_alexnet_has_the_names_and_shapes_of_torchvisions_weights():
    convolutions = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
    expected = {f"features.{i}.weight": (out, into, side, side) for i, (out, into, side) in convolutions.items()}
    expected |= {f"features.{i}.bias": (out,) for i, (out, _, _) in convolutions.items()}
    expected |= {"classifier.1.weight": (4096, 9216), "classifier.1.bias": (4096,)}
    expected |= {"classifier.4.weight": (4096, 4096), "classifier.4.bias": (4096,)}
    assert shapes_of(AlexNet, AlexNetOptions()) == expected


def test_vgg16_has_the_names_and_shapes_of_torchvisions_weights():
    places = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    widths = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    expected = {f"features.{i}.weight": (widths[n + 1], widths[n], 3, 3) for n, i in enumerate(places)}
    expected |= {f"features.{i}.bias": (widths[n + 1],) for n, i in enumerate(places)}
    expected |= {"classifier.0.weight": (4096, 25088), "classifier.0.bias": (4096,)}
    expected |= {"classifier.3.weight": (4096, 4096), "classifier.3.bias": (4096,)}
    assert shapes_of(VGG16, VGG16Options()) == expected


@pytest.mark.parametrize("kind", [AlexNet, VGG16])
def test_images_of_any_size_are_scaled_to_what_the_layers_take(kind):
    with torch.device("meta"):
        network = kind(kind.Options(resize=64), (1, 28, 28), 16)
        assert network.features(network.pixels(torch.zeros(2, 1, 28, 28))).shape[0] == 2
        assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 16)
        with pytest.raises(ShapeError, match="at least"):
            kind(kind.Options(resize=None), (1, 28, 28), 16)
        with pytest.raises(ShapeError, match="needs resize"):
            kind(kind.Options(resize=16), (1, 28, 28), 16)


def test_options_that_no_weights_fit_are_refused():
    with pytest.raises(InvalidInputError, match="stem 'imagenet'"):
        ResNet18(ResNet18Options(stem="small", checkpoint="x.pth"), (3, 32, 32), 16)
    with pytest.raises(ShapeError, match="1 or 3 channels"):
        ResNet18(ResNet18Options(checkpoint="x.pth"), (2, 32, 32), 16)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-2, 100), (0, 300)])
def test_pixels_that_published_weights_do_not_see_are_refused(checkpoint, low, high):
    rows = Rows(np.linspace(low, high, 2 * 8 * 8 * 3).reshape(2, -1), image_shape=(8, 8, 3))
    network = ResNet18(ResNet18Options(checkpoint=str(checkpoint[0])), (3, 8, 8), 16)
    with pytest.raises(InvalidInputError, match=f"see pixels from 0 to 255; these lie from {low} to {high}"):
        network.prepare(rows, torch.Generator())
    ResNet18(ResNet18Options(), (3, 8, 8), 16).prepare(rows, torch.Generator())  # by their own mean and deviation


@pytest.mark.parametrize("kind", [AlexNet, VGG16, ResNet18])
def test_hidden_layers_stand_between_backbone_and_scores_and_learn_as_the_head(kind):
    with torch.device("meta"):
        network = kind(kind.Options(hidden=(1024, 30), backbone_rate=0), (3, 64, 64), 16).train()
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 16)
    shapes = [tuple(one.shape) for name, one in network.head.named_parameters() if one.ndim == 2]
    assert shapes == [(1024, 512 if kind is ResNet18 else 4096), (30, 1024), (16, 30)]
    _, head = network.parameter_groups()
    assert head.factor == 1 and len(head.parameters) == len(list(network.head.parameters()))


def test_hidden_layers_are_products_and_relu():
    network = ResNet18(ResNet18Options(stem="small", normalize_scores=False, hidden=(20,)), (3, 8, 8), 5).eval()
    x = torch.rand(3, 3, 8, 8)
    first, _, last = network.head
    hidden = torch.relu(network.represent(x) @ first.weight.T + first.bias)
    assert_allclose(network(x).detach(), (hidden @ last.weight.T + last.bias).detach(), rtol=1e-4, atol=1e-5)
