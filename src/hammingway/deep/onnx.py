"""A trained network as an ONNX file, for machines without Python."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hammingway import registry
from hammingway.deep.hasher import DeepHasher
from hammingway.errors import InvalidInputError, MissingExtraError
from hammingway.hashers.base import Hasher
from hammingway.storage import atomic_writer

__all__ = ["export_onnx"]


class _FromFlatRows(nn.Module):
    """A network of images, which come as flat rows."""

    def __init__(self, network: nn.Module, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.network = network
        self.image_shape = image_shape

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (n, n_bits) of rows (n, n_features)."""
        height, width, channels = self.image_shape
        scores: Tensor = self.network(x.reshape(-1, height, width, channels).permute(0, 3, 1, 2))
        return scores


class _Encoder(nn.Module):
    """From rows as they come to scores and packed codes."""

    thresholds: Tensor
    weights: Tensor

    def __init__(self, network: nn.Module, thresholds: Tensor) -> None:
        super().__init__()
        self.network = network
        self.n_pad = -len(thresholds) % 8
        self.register_buffer("thresholds", thresholds)
        self.register_buffer("weights", 2 ** torch.arange(8, dtype=torch.int32))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (n, n_bits) and codes uint8 (n, n_bytes) of rows (n, n_features)."""
        scores = self.network(x) - self.thresholds
        bits = nn.functional.pad((scores > 0).to(torch.int32), (0, self.n_pad))  # (n, 8 * n_bytes)
        codes = (bits.reshape(-1, bits.shape[1] // 8, 8) * self.weights).sum(dim=2).to(torch.uint8)
        return scores, codes


class _LinearMap(nn.Module):
    """What a distilled hasher scores rows by, or else queries."""

    mean: Tensor
    directions: Tensor
    offsets: Tensor

    def __init__(self, hasher: Any, *, queries: bool) -> None:
        super().__init__()
        self.on_sphere = hasher.metric == "cosine"
        self.register_buffer("mean", torch.tensor(hasher.mean_, dtype=torch.float32))
        self.register_buffer("directions", torch.tensor(hasher.query_weights_ if queries else hasher.weights_))
        self.register_buffer("offsets", torch.tensor(hasher.query_offsets_ if queries else hasher.offsets_))

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (n, n_bits) of rows (n, n_features)."""
        if self.on_sphere:
            length = x.norm(dim=1, keepdim=True)
            x = x / torch.where(length > 0, length, 1.0)
        return (x - self.mean) @ self.directions + self.offsets


def export_onnx(hasher: Hasher, path: str | os.PathLike[str], *, queries: bool = False) -> None:
    """Write a fitted hasher's network to ``path`` as an ONNX model, in one atomic step.

    The model takes 'x', float32 (n, n_features) for any n >= 1, images as flat rows like the hasher, and gives
    'scores', float32 (n, n_bits), and 'codes', uint8 (n, ceil(n_bits / 8)), bit j of byte i being score 8 i + j
    above zero. Another runtime rounds differently, so a bit whose score is within rounding of zero may differ from
    the hasher's own. What scores queries gives 'scores' alone, as their signs are no codes of rows.

    The file's metadata say what it is: 'hammingway.hasher' has the hasher's fingerprint, 'hammingway.n_bits' the
    width, 'hammingway.map' is 'rows' or 'queries'.

    Parameters
    ----------
    hasher : a deep one, or one of the kind 'distilled', whose two linear maps are exported as networks are.
    queries : export what scores queries instead, which has no thresholds.

    Raises
    ------
    MissingExtraError : onnx or onnxscript is not installed.
    InvalidInputError : the hasher is of another kind, or scores queries as it scores rows.
    sklearn.exceptions.NotFittedError : the hasher is not fitted.
    """
    fingerprint = hasher.fingerprint()
    scorer = _scorer(hasher, queries=queries)
    exported = scorer if queries else _Encoder(scorer, _thresholds(hasher))
    outputs = ["scores"] if queries else ["scores", "codes"]
    model = _exported(exported.cpu().eval(), hasher.n_features_in_, outputs)
    facts = {"hasher": fingerprint, "n_bits": str(hasher.n_bits_), "map": "queries" if queries else "rows"}
    for key, value in facts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = f"hammingway.{key}", value
    with atomic_writer(path) as file:
        file.write(model.SerializeToString())


def _scorer(hasher: Hasher, *, queries: bool) -> nn.Module:
    """Return what scores flat rows, or else queries, before thresholds."""
    if isinstance(hasher, registry.load("hashers", "distilled")):
        return _LinearMap(hasher, queries=queries)
    if not isinstance(hasher, DeepHasher):
        raise InvalidInputError(
            f"{type(hasher).__name__} has no network to export; give a deep hasher, or one of the kind 'distilled'."
        )
    network = hasher.query_network_ if queries else hasher.network_
    if network is None:
        raise InvalidInputError("the hasher scores queries as it scores rows; export what scores rows for both.")
    return network if hasher._image_shape is None else _FromFlatRows(network, hasher._image_shape)


def _thresholds(hasher: Any) -> Tensor:
    """Return what the scores of rows are cut at, (n_bits,)."""
    return torch.from_numpy(hasher.thresholds_) if isinstance(hasher, DeepHasher) else torch.zeros(hasher.n_bits_)


def _exported(module: nn.Module, n_features: int, outputs: list[str]) -> Any:
    """Return the module as an ONNX ModelProto with a free number of rows, checked."""
    try:
        import onnx
        import onnxscript  # noqa: F401 (torch's exporter asks for it later)
    except ImportError as error:
        raise MissingExtraError("Export to ONNX", "onnx") from error
    with _quiet():
        program = torch.onnx.export(
            module,
            (torch.zeros(2, n_features),),
            input_names=["x"],
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("n")},),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise InvalidInputError("torch could not export this network to ONNX.")
    onnx.checker.check_model(program.model_proto)
    return program.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter says of deprecated parts of torch, and of torchvision not being there."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
