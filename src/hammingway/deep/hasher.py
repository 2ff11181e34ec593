"""The estimator: a network trained for an objective, under the rules of every other hasher."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from hammingway import registry
from hammingway.codes import Codes
from hammingway.config import from_mapping, to_mapping
from hammingway.deep.augmenting import check_augmentation
from hammingway.deep.batches import as_examples
from hammingway.deep.config import Training
from hammingway.deep.distributed import resolve_device, training_device
from hammingway.deep.fitting import ImageShape, Outputs, Recipe, check_selection, fit_network, refuse_single_rows
from hammingway.deep.inference import Scorer, one_thread
from hammingway.deep.networks.base import Network, make_network, sketch_network
from hammingway.deep.seeds import seeded
from hammingway.errors import ConfigError, InvalidInputError, ShapeError
from hammingway.hashers.base import Hasher, LearnedArray
from hammingway.hashers.rows import TrainingRows
from hammingway.processes import process_number
from hammingway.progress import Progress
from hammingway.sole_use import sole_use

__all__ = ["DeepHasher"]

Choice = str | Mapping[str, Any] | None
_encoding: ContextVar[bool] = ContextVar("_encoding", default=False)  # while scikit-learn looks at rows to be encoded
_LOCK_NAME = ".lock"
_COUNTERS = "num_batches_tracked"  # of batch normalisation; of no use after training


class DeepHasher(Hasher):
    """A network trained for an objective: any of either that is registered.

    Parameters
    ----------
    n_bits : bits a code, 1 to 4096.
    objective : registry name, or a mapping with 'name' and the objective's options; 'hammingway list objectives' names
        them. None for the class's own.
    network : registry name, or a mapping with 'name' and the network's options; 'hammingway list networks' names
        them. None for the class's own.
    training : fields of :class:`~hammingway.deep.config.Training` that differ from the class's own; 'hammingway list
        training' lists them.
    image_shape : (height, width, channels) if a row of X is a flattened image, channels last; None for vectors.
    random_state : int for the same hasher every time; None for another each time; or a NumPy ``RandomState``.
    max_training_rows : rows to learn from; None for all.

    Attributes
    ----------
    network_ : the trained network, on the CPU, in evaluation mode.
    query_network_ : the network for queries, where the objective trains one; else None.
    thresholds_ : float32 (n_bits,), subtracted from the network's scores.
    training_log_ : one mapping an epoch: loss and its terms, bit entropy, validation. Not saved.

    Notes
    -----
    Codes never depend on the batch: examples are scored in blocks of a constant shape on one thread each, the
    network in evaluation mode (docs/explanation/deep-training.md).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> y = np.repeat(["cat", "dog", "owl"], 20)
    >>> hasher = DeepHasher(16, objective="dsh", network="linear", training={"epochs": 5}, random_state=0)
    >>> hasher.fit(X, y).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "deep"
    fits_together = True
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "dsh"}
    default_network: ClassVar[Mapping[str, Any]] = {"name": "mlp"}
    default_training: ClassVar[Mapping[str, Any]] = {}

    network_: Network
    query_network_: Network | None
    thresholds_: NDArray[np.float32]
    training_log_: list[dict[str, Any]]
    _outputs: Outputs = Outputs()

    def __init__(
        self,
        n_bits: int = 64,
        *,
        objective: Choice = None,
        network: Choice = None,
        training: Mapping[str, Any] | None = None,
        image_shape: tuple[int, int, int] | None = None,
        random_state: int | np.random.RandomState | None = None,
        max_training_rows: int | None = None,
    ) -> None:
        super().__init__(n_bits, random_state=random_state, max_training_rows=max_training_rows)
        self.objective = objective
        self.network = network
        self.training = training
        self.image_shape = image_shape

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        progress: Progress | None = None,
        folder: str | os.PathLike[str] | None = None,
        report: Callable[[Mapping[str, Any]], None] | None = None,
        tensorboard: bool = False,
    ) -> Self:
        """Learn from X, numeric (n, n_features), and return the hasher itself.

        Parameters
        ----------
        X : numeric (n, n_features), finite; rows of images where ``image_shape`` is given.
        y : labels (n,), integers or strings, or 0/1 indicators (n, n_labels); required by supervised objectives,
            and what validation goes by where they are given.
        progress : told the steps done.
        folder : keep ``log.jsonl`` and ``checkpoint.safetensors`` there; made if it is not there. A fit of the same
            parameters (with an int as ``random_state``) and data that was interrupted goes on where it stopped, and
            ends as if it had not been.
        report : told of each entry of the log.
        tensorboard : write TensorBoard's event files to the folder, too.

        Raises
        ------
        ConfigError : an option that is not known or out of range.
        InvalidInputError : a parameter or value cannot be used, labels are missing, or there are too few rows.
        TrainingError : the loss is not finite, or all codes became the same.
        FolderInUseError : another fit has the folder, and is not done.
        """
        if tensorboard and folder is None:
            raise InvalidInputError("tensorboard=True writes to the folder of the run; give one, or leave it out.")
        place = None if folder is None else Path(folder)
        self._outputs = Outputs(place, report, tensorboard)
        try:
            with _alone_in(place):
                return super().fit(X, y, progress=progress)
        finally:
            del self._outputs

    def project(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the scores of X, float32 (n, n_bits), less the thresholds; a bit is set where it is above zero."""
        with one_thread():
            return super().project(X)

    def encode(self, X: ArrayLike, *, progress: Progress | None = None) -> Codes:
        """Return the codes of X, numeric (n, n_features); ``progress`` is told the rows done."""
        with one_thread():
            return super().encode(X, progress=progress)

    def project_queries(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the scores of queries, float32 (n, n_bits), for asymmetric search.

        They differ from those of :meth:`project` where the objective trains a network for queries, which has no
        thresholds.
        """
        scorer = self._query_scorer
        if scorer is None:
            return self.project(X)
        with one_thread():
            return self._scores(X, lambda rows: self._scored(scorer, rows))

    def to(self, device: str) -> Self:
        """Compute scores on this device ('cpu', 'cuda', 'cuda:1') from now on; return the hasher itself.

        A fitted or loaded hasher is on the CPU. Another device rounds differently: a score within rounding of zero
        may fall on the other side.
        """
        self._device = str(resolve_device(device))
        self._prepare()
        return self

    @property
    def needs_labels(self) -> bool:
        """Whether ``fit`` cannot do without labels: for the objective, or to choose the best epoch."""
        training = self._training()
        return super().needs_labels or bool(training.validation_share and training.select == "map")

    def check_options(self) -> None:
        """Raise for a parameter, also of objective, network or training, that cannot be used (on this machine)."""
        super().check_options()
        for kind, default in (("objective", self.default_objective), ("network", self.default_network)):
            name, options = self._chosen(kind, default)
            from_mapping(registry.load(f"{kind}s", name).Options, options, where=kind)
        training = self._training()
        training_device(training.device)
        check_selection(self._chosen("objective", self.default_objective)[0], training)

    def check_features(self, n_features: int) -> None:
        """Raise where network, ``image_shape`` or augmentation do not go with rows of this width."""
        input_shape = self._input_shape(n_features)
        name, options = self._chosen("network", self.default_network)
        network = sketch_network(name, options, input_shape=input_shape, n_bits=int(self.n_bits))
        if network is not None:
            network.check_sources()
            refuse_single_rows(network, self._training().micro_batch_size)
        check_augmentation(self._training().augment, input_shape)

    def _fit(self, rows: TrainingRows, y: ArrayLike | None, rng: np.random.RandomState) -> None:
        recipe = Recipe(
            n_bits=self.n_bits_,
            objective=self._chosen("objective", self.default_objective),
            network=self._chosen("network", self.default_network),
            training=self._training(),
            image_shape=self._checked_image_shape(rows.n_features),
            seed=int(rng.randint(2**31 - 1)),
        )
        fitted = fit_network(rows, y, recipe, self._outputs)
        self.network_, self.query_network_ = fitted.network, fitted.query_map
        self.thresholds_, self.training_log_ = fitted.thresholds, fitted.log

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._chosen("objective", self.default_objective)
        self._chosen("network", self.default_network)
        if not isinstance(self.training, Mapping | None):
            raise ConfigError(f"training must be a table of options; got {self.training!r}.")

    def _training(self) -> Training:
        return from_mapping(Training, {**self.default_training, **(self.training or {})}, where="training")

    def _chosen(self, kind: str, default: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return name and options of the objective or network; options are those of the default if it is that."""
        choice: Choice = getattr(self, kind)
        if not isinstance(choice, str | Mapping | None):
            raise ConfigError(f"{kind} must be a name, or a table of 'name' and options; got {choice!r}.")
        given = {"name": choice} if isinstance(choice, str) else dict(choice or {})
        name = given.pop("name", default["name"])
        if not isinstance(name, str):
            raise ConfigError(f"{kind}.name must be a text; got {name!r}.")
        own = {key: value for key, value in default.items() if key != "name"} if name == default["name"] else {}
        return name, {**own, **given}

    def _checked_image_shape(self, n_features: int) -> ImageShape | None:
        shape = self.image_shape
        if shape is None:
            return None
        sizes = tuple(shape) if isinstance(shape, list | tuple) else ()
        if len(sizes) != 3 or any(isinstance(size, bool) or not isinstance(size, Integral) for size in sizes):
            raise InvalidInputError(f"image_shape must be (height, width, channels) in whole numbers; got {shape!r}.")
        height, width, channels = (int(size) for size in sizes)
        if min(height, width, channels) < 1 or height * width * channels != n_features:
            raise ShapeError(
                f"image_shape {height} x {width} x {channels} is of {height * width * channels} values; X has "
                f"{n_features} features."
            )
        return height, width, channels

    def _input_shape(self, n_features: int) -> tuple[int, ...]:
        """Return the shape of an example: (n_features,) or (channels, height, width)."""
        shape = self._checked_image_shape(n_features)
        return (n_features,) if shape is None else (shape[2], shape[0], shape[1])

    def _check_new(self, X: ArrayLike) -> NDArray[Any]:
        token = _encoding.set(True)
        try:
            return super()._check_new(X)
        finally:
            _encoding.reset(token)

    def _needed_rows(self) -> int:
        return 2

    def _prepare(self) -> None:
        device = torch.device(getattr(self, "_device", "cpu"))
        self._image_shape = self._checked_image_shape(self.n_features_in_)
        self._scorer = Scorer(self.network_, device)
        self._query_scorer = None if self.query_network_ is None else Scorer(self.query_network_, device)

    def _rows_a_block(self) -> int:
        return self._scorer.block_rows

    def _project(self, rows: NDArray[np.float64]) -> NDArray[np.float32]:
        return self._scored(self._scorer, rows) - self.thresholds_

    def _scored(self, scorer: Scorer, rows: NDArray[np.float64]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = scorer(as_examples(rows, self._image_shape)).numpy()
        return scores

    def _networks(self) -> dict[str, Network]:
        query = self.query_network_
        return {"network": self.network_} | ({} if query is None else {"query_network": query})

    def _description(self) -> dict[str, Any]:
        return {
            role: {"name": network.registry_name, "options": to_mapping(network.options)}
            for role, network in self._networks().items()
        }

    def _layout(self, description: Mapping[str, Any]) -> Mapping[str, LearnedArray]:
        input_shape = self._input_shape(self.n_features_in_)
        built = {}
        for role, spec in description.items():
            if not (
                isinstance(spec, Mapping) and type(spec.get("name")) is str and isinstance(spec.get("options"), Mapping)
            ):
                raise ConfigError(f"{role} must be a table of 'name' and 'options'; got {spec!r}.")
            with seeded(0, "to be overwritten"):
                built[role] = make_network(
                    spec["name"], spec["options"], input_shape=input_shape, n_bits=self.n_bits_, where=role
                )
        if "network" not in built:
            raise ConfigError("the file names no network.")
        self.network_, self.query_network_ = built["network"], built.get("query_network")
        own = {name: (array.dtype.type, array.shape) for name, array in self._learned_of_networks().items()}
        return own | {"thresholds_": (np.float32, ("n_bits",))}

    def _learned(self) -> dict[str, NDArray[Any]]:
        return self._learned_of_networks() | {"thresholds_": self.thresholds_}

    def _learned_of_networks(self) -> dict[str, NDArray[Any]]:
        return {
            f"{role}.{name}": tensor.cpu().numpy()
            for role, network in self._networks().items()
            for name, tensor in network.state_dict().items()
            if not name.endswith(_COUNTERS)
        }

    def _set_learned(self, arrays: Mapping[str, NDArray[Any]], description: Mapping[str, Any]) -> None:
        self.thresholds_, self.training_log_ = arrays["thresholds_"], []
        for role, network in self._networks().items():
            start = f"{role}."
            own = {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}
            # Not strict for the counters, which a file leaves out; all else was compared with the layout.
            network.load_state_dict({name: torch.tensor(array) for name, array in own.items()}, strict=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        name, _ = self._chosen("objective", self.default_objective)
        # What fit needs is of no concern to encode, and the objective may be of a plugin that is not installed here.
        if not _encoding.get() and name in registry.names("objectives"):
            tags.target_tags.required = registry.load("objectives", name).needs_labels
        return tags


def _alone_in(folder: Path | None) -> AbstractContextManager[None]:
    """Keep other fits out of a folder; of processes that train together, the first does so for all."""
    if folder is None or process_number() > 0:
        return nullcontext()
    return sole_use(folder / _LOCK_NAME, work="training")
