"""A frozen vision transformer, or any image model of the transformers library, with a hash layer."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
import torch
from torch import Tensor, nn

from hammingway.config import Config
from hammingway.deep.networks.images import check_pixels
from hammingway.deep.networks.pretrained import PretrainedNetwork, PretrainedOptions, with_hidden_layers
from hammingway.errors import ConfigError, FileFormatError, InvalidInputError, MissingExtraError

if TYPE_CHECKING:
    from hammingway.deep.batches import Rows

__all__ = ["BackboneNetwork", "BackboneOptions"]

_UNUSED = "pooler."  # a layer after the tokens, which many files lack
_HALF = [0.5, 0.5, 0.5]


class BackboneOptions(PretrainedOptions, frozen=True):
    """Options of :class:`BackboneNetwork`: those of pretrained networks, and two more.

    Parameters
    ----------
    checkpoint : folder that the transformers library's ``save_pretrained`` wrote.
    backbone_rate : 0, which keeps the backbone frozen; or the factor of its learning rate.
    resize : height and width of the images it sees; None for those it was trained on.
    pooling : 'first' takes the first token (CLS), 'mean' the mean of all tokens.
    configuration : the model's configuration as JSON; read from the folder, and kept so that a saved hasher needs the
        folder no more.
    """

    backbone_rate: float = 0.0
    pooling: Literal["first", "mean"] = "first"
    configuration: str | None = None


class BackboneNetwork(PretrainedNetwork):
    """The tokens of a pretrained image model, pooled to one vector, and a linear map to the scores.

    Pixels are normalised as the folder's ``preprocessor_config.json`` says, else from 0 to 255 to -1 to 1. Nothing is
    ever downloaded. The weights are part of the saved hasher, which loads without the folder, but with the library.

    Raises
    ------
    MissingExtraError : the transformers library is not installed.
    InvalidInputError : neither folder nor configuration, or not of an image model.
    FileFormatError : the folder holds no model, or lacks some of its weights.
    """

    registry_name = "backbone"
    Options: ClassVar[type[Config]] = BackboneOptions
    spare: ClassVar[tuple[str, ...]] = ()
    options: BackboneOptions

    def __init__(self, options: BackboneOptions, input_shape: tuple[int, ...], n_bits: int) -> None:
        if find_spec("transformers") is None:
            raise MissingExtraError("The network 'backbone'", "transformers")
        configuration, described = _configuration(options)
        size = _image_size(configuration)
        options = msgspec.structs.replace(options, configuration=described, resize=options.resize or size)
        super().__init__(options, input_shape, n_bits)
        from transformers import AutoModel

        self.backbone: Any = AutoModel.from_config(configuration)
        widths = (configuration.hidden_size, *options.hidden)
        self.head = with_hidden_layers(widths, nn.Linear(widths[-1], n_bits))

    def prepare(self, training_x: Rows, generator: torch.Generator) -> None:
        """Load the folder's weights, and how it normalises pixels."""
        if self.options.checkpoint is None:
            raise InvalidInputError("The network 'backbone' needs checkpoint, the folder of a model, to train with.")
        check_pixels(training_x)
        folder = Path(self.options.checkpoint)
        self.backbone.load_state_dict(_weights(folder))
        mean, deviation = _normalisation(folder)
        self.standardize.mean.copy_(255 * torch.tensor(mean)[:, None, None])
        self.standardize.deviation.copy_(255 * torch.tensor(deviation)[:, None, None])

    def represent(self, x: Tensor) -> Tensor:
        """Return the pooled tokens, (n, hidden), of x (n, channels, height, width)."""
        tokens = self.backbone(pixel_values=self.pixels(x)).last_hidden_state  # (n, n_tokens, hidden)
        pooled: Tensor = tokens[:, 0] if self.options.pooling == "first" else tokens.mean(dim=1)
        return pooled


def _configuration(options: BackboneOptions) -> tuple[Any, str]:
    """Return the model's configuration, and as JSON."""
    from transformers import AutoConfig

    if options.configuration is not None:
        try:
            return AutoConfig.for_model(**json.loads(options.configuration)), options.configuration
        except (ValueError, TypeError) as error:
            raise ConfigError(f"network.configuration is none of the transformers library: {error}.") from error
    if options.checkpoint is None:
        raise InvalidInputError("The network 'backbone' needs checkpoint, the folder of a model (save_pretrained).")
    try:
        configuration = AutoConfig.from_pretrained(options.checkpoint, local_files_only=True)
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise FileFormatError(f"{options.checkpoint} holds no model of the transformers library: {reason}.") from error
    return configuration, json.dumps(configuration.to_dict(), sort_keys=True)


def _image_size(configuration: Any) -> int:
    size = getattr(configuration, "image_size", None)
    if not isinstance(size, int):
        raise InvalidInputError(f"A model of type {configuration.model_type!r} takes no square images; take another.")
    return size


def _weights(folder: Path) -> dict[str, Tensor]:
    """Return the model's weights; a last layer that is not used may be absent."""
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model, told = AutoModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise FileFormatError(f"{folder} holds no readable weights: {reason}.") from error
    missing = sorted(name for name in told["missing_keys"] if not name.startswith(_UNUSED))
    if missing:
        raise FileFormatError(f"{folder} lacks weights of the model, {len(missing)} in all, first {missing[0]}.")
    weights: dict[str, Tensor] = model.float().state_dict()
    return weights


def _normalisation(folder: Path) -> tuple[list[float], list[float]]:
    """Return mean and deviation of red, green and blue from 0 to 1."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return _HALF, _HALF
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FileFormatError(f"{path} is not JSON: {error}.") from error
    return told.get("image_mean", _HALF), told.get("image_std", _HALF)
