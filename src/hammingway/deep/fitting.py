"""From rows and a recipe to a trained network: the parts of a run are made here, and put together."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from hammingway import registry
from hammingway.config import Config, from_mapping, to_mapping
from hammingway.deep.augmenting import make_augmentation
from hammingway.deep.batches import Rows
from hammingway.deep.checkpoint import Checkpoint, EpochStatistics, State
from hammingway.deep.config import Training
from hammingway.deep.distributed import Group, training_device
from hammingway.deep.inference import scores_of_rows
from hammingway.deep.log import Log
from hammingway.deep.loop import Run, train
from hammingway.deep.memory import refusing_what_no_memory_holds
from hammingway.deep.model import Model
from hammingway.deep.networks.base import Network, make_network
from hammingway.deep.objectives.base import Objective, TaskShape
from hammingway.deep.optimizing import make_optimizer
from hammingway.deep.sampling import Sampler
from hammingway.deep.seeds import generator, seeded
from hammingway.deep.validation import Part, Validation
from hammingway.errors import ConfigError, InvalidInputError, ShapeError, TrainingError
from hammingway.hashers.labels import class_labels, indicators
from hammingway.hashers.rows import TrainingRows
from hammingway.storage import digest

__all__ = ["Fitted", "Outputs", "Recipe", "fit_network"]

_LEAST_ROWS = 2
_LEAST_NORMALISED = 3  # rows of a micro-batch: nearly equal parts of that size have two at least
_SAMPLE_ROWS = 1024  # of the data's digest
_CHECKED_ROWS = 10_000

ImageShape = tuple[int, int, int]


@dataclass(frozen=True)
class Recipe:
    """All that decides the outcome of a fit, beside the data.

    Parameters
    ----------
    objective, network : registry name and options.
    image_shape : (height, width, channels), or None for vectors.
    """

    n_bits: int
    objective: tuple[str, Mapping[str, Any]]
    network: tuple[str, Mapping[str, Any]]
    training: Training
    image_shape: ImageShape | None
    seed: int


@dataclass(frozen=True)
class Outputs:
    """Who is told of a fit, and where it leaves files.

    Parameters
    ----------
    folder : for log.jsonl and checkpoint.safetensors; a run that was interrupted there goes on. None for no files.
    report : told of each entry of the log.
    tensorboard : write event files to the folder too.
    """

    folder: Path | None = None
    report: Callable[[Mapping[str, Any]], None] | None = None
    tensorboard: bool = False


@dataclass(frozen=True)
class Fitted:
    """What remains of a run: networks on the CPU, thresholds float32 (n_bits,), and the log's entries."""

    network: Network
    query_map: Network | None
    thresholds: NDArray[np.float32]
    log: list[dict[str, Any]]


def fit_network(rows: TrainingRows, y: ArrayLike | None, recipe: Recipe, outputs: Outputs) -> Fitted:
    """Return the network that the recipe gives on these rows.

    Raises
    ------
    ConfigError : an option that is not known or out of range.
    InvalidInputError : the objective needs labels and there are none, or rows and recipe do not go together.
    TrainingError : the loss is not finite, or the code collapsed.
    """
    device = training_device(recipe.training.device)
    with reproducible(recipe.training, device):
        part, kept_aside = split(rows, y, recipe)
        model = make_model(part, n_classes(part, kept_aside), recipe)
        run, state = start(model, part, kept_aside, recipe, outputs, device)
        if run.checkpoint is not None and run.checkpoint.exists():
            state = run.checkpoint.restore(model, run.optimizer)
        run.group.refuse_unlike(
            str(state.step), f"the processes find other checkpoints in {outputs.folder}; give a folder that all share."
        )
        if outputs.folder is not None and run.group.rank == 0:
            run.log.start_at(state.step)
        rows.work.plan(run.total_steps)
        rows.work.advance(state.step)
        run.on_step = lambda done, total: rows.work.advance(1)
        train(run, state)
        rows.work.advance(run.total_steps - state.step)
        thresholds = settle(model, part.rows, device)
    network, query_map = model.network.cpu().eval(), model.objective.query_map
    return Fitted(network, None if query_map is None else query_map.cpu().eval(), thresholds, run.log.entries)


def make_model(part: Part, classes: int | None, recipe: Recipe) -> Model:
    """Return network and objective as they are before the first step, prepared on the training part."""
    name, options = recipe.objective
    kind = registry.load("objectives", name)
    if kind.needs_labels and part.labels is None:
        raise InvalidInputError(
            f"The objective {name!r} requires y to be passed, but the target y is None; pass class labels (n_samples,) "
            "or a 0/1 indicator matrix (n_samples, n_labels)."
        )
    shape = TaskShape(recipe.n_bits, part.rows.input_shape, len(part.rows), classes)
    with seeded(recipe.seed, "network weights"):
        network = make_network(*recipe.network, input_shape=shape.input_shape, n_bits=recipe.n_bits)
    with seeded(recipe.seed, "objective weights"), refusing_what_no_memory_holds(f"The objective {name!r}"):
        objective: Objective = kind(from_mapping(kind.Options, options, where="objective"), shape)
    model = Model(network, objective)
    objective.attach(network)
    with torch.no_grad():
        network.prepare(part.rows, generator(recipe.seed, "network preparation"))
        objective.prepare(part.rows, part.labels, generator(recipe.seed, "objective preparation"))
    return model


def start(
    model: Model, part: Part, kept_aside: Part | None, recipe: Recipe, outputs: Outputs, device: torch.device
) -> tuple[Run, State]:
    """Return the run, and its state before the first step."""
    config, group = recipe.training, Group(device)
    check_selection(recipe.objective[0], config)
    refuse_single_rows(model.network, config.micro_batch_size)
    fingerprint = run_fingerprint(part, kept_aside, recipe)
    group.refuse_unlike(
        fingerprint, "the processes have other options, data or seeds; give all the same, the seed as a whole number."
    )
    table = model.objective.neighbor_table
    model.to(device)
    model.objective.neighbor_table = table
    group.start_alike(model)
    sampler = Sampler(
        model.objective, part.labels, n_rows=len(part.rows), batch_size=config.batch_size, seed=recipe.seed
    )
    group.refuse_small_batches(sampler.smallest_batch)
    first, folder = group.rank == 0, outputs.folder
    log = Log(folder, report=outputs.report, tensorboard=outputs.tensorboard) if first else Log()
    run = Run(
        model=model,
        optimizer=make_optimizer(model.network, model.objective, config),
        part=part,
        sampler=sampler,
        augmentation=make_augmentation(config.augment, part.rows),
        validation=None if kept_aside is None else Validation(part, kept_aside, config, seed=recipe.seed),
        config=config,
        seed=recipe.seed,
        device=device,
        group=group,
        log=log,
        checkpoint=None if folder is None else Checkpoint(folder, fingerprint),
        on_step=lambda done, total: None,
    )
    return run, State(EpochStatistics(recipe.n_bits))


def check_selection(objective: str, training: Training) -> None:
    """Raise ConfigError if the best epoch is to be chosen by a loss that validation rows cannot have."""
    by_loss = training.validation_share and training.select == "loss"
    if by_loss and registry.load("objectives", objective).sampling == "neighbors":
        raise ConfigError(
            f"training.select is 'loss', but the objective {objective!r} needs neighbours, which only training rows "
            "have; select 'recall' or 'map'."
        )


def refuse_single_rows(network: Network, micro_batch_size: int | None) -> None:
    """Raise ConfigError if batch normalisation might see one row alone: an odd batch in parts of two leaves one."""
    normalises = any(isinstance(module, torch.nn.BatchNorm1d) for module in network.modules())
    if normalises and micro_batch_size is not None and micro_batch_size < _LEAST_NORMALISED:
        raise ConfigError(
            f"training.micro_batch_size must be at least {_LEAST_NORMALISED} for the network "
            f"{network.registry_name!r}, whose batch normalisation needs rows side by side; got {micro_batch_size}."
        )


def settle(model: Model, rows: Rows, device: torch.device) -> NDArray[np.float32]:
    """Return the thresholds, float32 (n_bits,), that the objective takes from the training part's scores."""
    chosen = torch.arange(len(rows))
    if type(model.objective).thresholds is Objective.thresholds:
        chosen = chosen[:_CHECKED_ROWS]
    scores = scores_of_rows(model.network, rows, chosen, device)
    with torch.no_grad():
        found = model.objective.thresholds(scores)
    thresholds = torch.zeros(model.network.n_bits) if found is None else found.detach().cpu().float()
    if not bool(torch.isfinite(scores).all()) or not bool(torch.isfinite(thresholds).all()):
        raise TrainingError("the trained network gives scores that are not finite; take a smaller learning_rate.")
    codes = scores > thresholds
    if len(codes) > 1 and bool((codes == codes[0]).all()):
        raise TrainingError(
            f"the code collapsed: all of {len(codes)} training rows got the same code. Train longer, take another "
            "learning_rate, or check that the rows differ."
        )
    result: NDArray[np.float32] = thresholds.numpy()
    return result


def split(rows: TrainingRows, y: ArrayLike | None, recipe: Recipe) -> tuple[Part, Part | None]:
    """Return the training part, and the validation part if one is wanted; all of their rows were looked at."""
    labels = None if y is None else numbered(y, len(rows.X))
    order = np.arange(len(rows.X)) if rows.indices is None else rows.indices
    n_aside = 0
    if recipe.training.validation_share:
        n_aside = max(_LEAST_ROWS, round(recipe.training.validation_share * len(order)))
        if len(order) - n_aside < _LEAST_ROWS:
            raise ShapeError(
                f"validation_share={recipe.training.validation_share} leaves fewer than {_LEAST_ROWS} rows to train "
                f"on; got n_samples = {len(order)}."
            )
        shuffled = torch.randperm(len(order), generator=generator(recipe.seed, "validation part")).numpy()
        order = order[shuffled]
    chosen = [np.sort(order[n_aside:]), np.sort(order[:n_aside])]
    made = []
    for indices in chosen:
        examples = Rows(rows.X, indices, image_shape=recipe.image_shape)
        examples.read_once()
        made.append(Part(examples, None if labels is None else labels[torch.from_numpy(indices)]))
    return made[0], made[1] if n_aside else None


def numbered(y: ArrayLike, n_rows: int) -> Tensor:
    """Return labels as class numbers, int64 (n,), or as multi-hot float32 (n, n_labels).

    Raises
    ------
    ShapeError : not one label or row of labels for each row.
    InvalidInputError : continuous or missing labels, or one class only.
    """
    array = np.asarray(y)
    if array.ndim not in (1, 2) or len(array) != n_rows:
        raise ShapeError(
            f"y must have one label or one row of 0/1 indicators for each of the {n_rows} rows of X; "
            f"got shape {array.shape}."
        )
    if array.ndim == 2 and array.shape[1] > 1:
        return torch.from_numpy(indicators(array).astype(np.float32))
    classes, numbers = np.unique(class_labels(array.reshape(-1)), return_inverse=True)
    if len(classes) < 2:
        raise InvalidInputError(
            f"y holds only one class, {str(classes[0])!r}; labels of at least two classes are needed to tell apart."
        )
    return torch.from_numpy(numbers.astype(np.int64))


def n_classes(*parts: Part | None) -> int | None:
    """Return the number of classes or labels of the parts together; the last may be in one of them only."""
    labels = [part.labels for part in parts if part is not None and part.labels is not None]
    if not labels:
        return None
    return labels[0].shape[1] if labels[0].ndim == 2 else 1 + max(int(one.max()) for one in labels)


def run_fingerprint(part: Part, kept_aside: Part | None, recipe: Recipe) -> str:
    """Return a digest of recipe and data, the latter by sizes, labels and 1,024 rows of each part."""
    described = {
        "n_bits": recipe.n_bits,
        "objective": _plain(recipe.objective),
        "network": _plain(recipe.network),
        "training": to_mapping(recipe.training),
        "image_shape": recipe.image_shape,
        "seed": recipe.seed,
        "data": [None if one is None else _digests(one) for one in (part, kept_aside)],
    }
    return "b2:" + hashlib.blake2b(json.dumps(described, sort_keys=True).encode(), digest_size=16).hexdigest()


def _digests(part: Part) -> list[Any]:
    places = torch.linspace(0, len(part.rows) - 1, min(_SAMPLE_ROWS, len(part.rows))).long()
    labels = None if part.labels is None else digest(part.labels.numpy())
    return [len(part.rows), digest(part.rows[places].numpy()), labels]


def _plain(component: tuple[str, Mapping[str, Any]]) -> list[Any]:
    name, options = component
    return [name, to_mapping(options) if isinstance(options, Config) else dict(options)]


@contextmanager
def reproducible(config: Training, device: torch.device) -> Iterator[None]:
    """Give a context in which torch uses only algorithms that give the same bits every time, if so configured.

    Raises
    ------
    ConfigError : network or objective need an algorithm of which there is no such form on this device.
    """
    if device.type == "cuda" and config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or cuBLAS refuses; read when CUDA starts
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(config.deterministic)
    torch.backends.cudnn.benchmark = not config.deterministic
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        operation = str(error).partition(" does not have")[0]
        raise ConfigError(
            f"{operation} gives other last digits every time on {device.type!r}; set training.deterministic to false "
            "to use it all the same."
        ) from error
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
