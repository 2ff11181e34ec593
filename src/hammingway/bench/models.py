"""Hashers from files as contestants: fitted already, measured as they are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hammingway.bench.spec import Component, ModelFile, PlanSpec, RunSpec
from hammingway.config import fingerprint
from hammingway.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from hammingway.hashers.base import Hasher

__all__ = ["Model", "check_dimensions", "read_models"]


@dataclass(frozen=True, eq=False)
class Model:
    """A hasher from a file, and the run that measures it."""

    spec: RunSpec
    hasher: Hasher


def read_models(plan: PlanSpec, *, folder: str | os.PathLike[str] | None = None) -> list[Model]:
    """Return the models of a plan, in its order.

    Parameters
    ----------
    folder : what the plan's files lie below; the current folder if not given.

    Raises
    ------
    ConfigError : two files hold the same hasher, or the name of one is no text.
    FileNotFoundError, FileFormatError : there is no such file, or it is no whole hasher.
    """
    models = [_read(plan, file, Path(folder or ".")) for file in plan.models]
    files: dict[str, str] = {}
    for spec in (model.spec for model in models):
        if spec.model in files:
            raise ConfigError(
                f"the models {files[spec.model]} and {spec.model_file} are the same hasher; leave one of them out."
            )
        files[spec.model] = spec.model_file
    return models


def check_dimensions(models: Iterable[Model], d: int) -> None:
    """Raise ShapeError unless all models take vectors of ``d`` dimensions."""
    for model in models:
        if model.hasher.n_features_in_ != d:
            raise ShapeError(
                f"the model {model.spec.model_file} takes vectors of {model.hasher.n_features_in_} dimensions, and the "
                f"data has {d}; give the kind of data it was trained on, or leave it out."
            )


def _read(plan: PlanSpec, model: ModelFile, folder: Path) -> Model:
    from hammingway.hashers.saving import load_hasher

    fingerprint(model)  # raises for a name that no record can hold
    hasher = load_hasher(folder / model.file)
    parameters = hasher.get_params(deep=False)
    parameters.pop("n_bits", None)  # may be None where the hasher chose its width itself
    seed = parameters.pop("random_state", None)
    component = Component(name=hasher.registry_name, params=parameters)
    spec = plan.run(component, hasher.n_bits_, seed, model=hasher.fingerprint(), model_file=model.file)
    return Model(spec, hasher)
