"""Plans of training runs: a base configuration, and what its variants change; one TOML file."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import msgspec

from hammingway.bench.checking import naming
from hammingway.bench.spec import Bits, Component, DataSpec, Natural, Positive, RunSpec
from hammingway.config import Config, from_mapping, read_toml, set_at
from hammingway.errors import ConfigError

__all__ = ["RUN_FIELDS", "Table", "TrainingPlan", "Variant", "VariantRun", "read_training_plan"]

_BASE_NAME = "base"


class Variant(Config, frozen=True, kw_only=True):
    """What one run changes in the base.

    Parameters
    ----------
    name : of its folder and its row in the table.
    set : dotted path to value, as in {"objective.margin" = 4.0}.
    """

    name: str
    set: dict[str, Any] = msgspec.field(default_factory=dict)


class Table(Config, frozen=True, kw_only=True):
    """Variants as rows of values, for ablations that change the same few things.

    Parameters
    ----------
    columns : 'name', and the dotted paths that the values of a row are for.
    rows : one variant each.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def variants(self) -> Iterator[Variant]:
        """Yield each row as a variant.

        Raises
        ------
        ConfigError : no column 'name', or a row of another length.
        """
        if self.columns.count("name") != 1:
            raise ConfigError(f"a table needs one column 'name'; got {', '.join(self.columns) or 'none'}.")
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ConfigError(f"a table of {len(self.columns)} columns has a row of {len(row)} values: {row!r}.")
            values = dict(zip(self.columns, row, strict=True))
            yield Variant(name=str(values.pop("name")), set=values)


class _Run(Config, frozen=True, kw_only=True):
    """What stands in the base beside the hasher's parameters."""

    hasher: str
    n_bits: Bits
    seed: Natural = 0


RUN_FIELDS = _Run.__struct_fields__


@dataclass(frozen=True)
class VariantRun:
    """A variant, and the run it is with everything filled in."""

    name: str
    spec: RunSpec


class TrainingPlan(Config, frozen=True, kw_only=True):
    """A base configuration and its variants, all on one data set.

    Parameters
    ----------
    data : as in a plan of 'hammingway evaluate'.
    base : 'hasher', 'n_bits', 'seed', and parameters of the hasher, such as the tables 'objective', 'network' and
        'training' of a deep one.
    variants, tables : what is run instead of the base; the base itself, called 'base', if there are none.
    grid : dotted path to values; every variant is run with every combination.
    k, n_true, repeats : as in :class:`~hammingway.bench.spec.RunSpec`.
    title : heading of the table.

    Examples
    --------
    >>> plan = TrainingPlan(
    ...     data=DataSpec(dataset="digits"),
    ...     base={"hasher": "dsh", "n_bits": 16},
    ...     variants=(Variant(name="near", set={"objective.margin": 4}), Variant(name="far")),
    ...     grid={"n_bits": (8, 16)},
    ... )
    >>> [(run.name, run.spec.n_bits, run.spec.hasher.params) for run in plan.runs()][:2]
    [('near,n_bits=8', 8, {'objective': {'margin': 4}}), ('near,n_bits=16', 16, {'objective': {'margin': 4}})]
    """

    data: DataSpec
    base: dict[str, Any]
    variants: tuple[Variant, ...] = ()
    tables: tuple[Table, ...] = ()
    grid: dict[str, tuple[Any, ...]] = msgspec.field(default_factory=dict)
    k: Positive = 100
    n_true: Natural = 10
    repeats: Positive = 5
    title: str = ""

    def runs(self) -> tuple[VariantRun, ...]:
        """Return every run, in the order of the plan.

        Raises
        ------
        ConfigError : a path or name that cannot be used, two variants of one name, or two that are one run.
        """
        named = [*self.variants, *itertools.chain.from_iterable(table.variants() for table in self.tables)]
        runs = [
            self._run(variant, point) for variant in named or [Variant(name=_BASE_NAME)] for point in _points(self.grid)
        ]
        _refuse_repeated([run.name for run in runs], "the plan has two variants called {}; rename one.")
        by_id = {run.spec.run_id: run.name for run in runs}
        for run in runs:
            if by_id[run.spec.run_id] != run.name:
                raise ConfigError(f"the variants {run.name!r} and {by_id[run.spec.run_id]!r} are the same run.")
        return tuple(runs)

    def _run(self, variant: Variant, point: Mapping[str, Any]) -> VariantRun:
        changes = [f"{path}={_text(value)}" for path, value in point.items()]
        name = ",".join(changes if changes and variant.name == _BASE_NAME else [variant.name, *changes])
        values = deepcopy(self.base)
        with naming(f"the variant {name!r}"):
            for path, value in {**variant.set, **point}.items():
                set_at(values, path, value)
        for field in msgspec.structs.fields(_Run):
            if field.required and field.name not in values:
                raise ConfigError(f"the base lacks {field.name!r}; it has {', '.join(values) or 'nothing'}.")
        own = {name: values.pop(name) for name in RUN_FIELDS if name in values}
        settings = from_mapping(_Run, own, where=f"the variant {name!r}")
        spec = RunSpec(
            data=self.data,
            hasher=Component(name=settings.hasher, params=values),
            n_bits=settings.n_bits,
            seed=settings.seed,
            k=self.k,
            n_true=self.n_true,
            repeats=self.repeats,
        )
        return VariantRun(_as_folder(name), spec)


def read_training_plan(path: str | os.PathLike[str]) -> TrainingPlan:
    """Return the plan in the TOML file at ``path``.

    Raises
    ------
    ConfigError : it cannot be read, or has an unknown key (with a suggestion) or a wrong value.
    """
    return read_toml(TrainingPlan, path)


def _points(grid: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for path, values in grid.items():
        if not values:
            raise ConfigError(f"grid.{path} has no values; give some or remove it.")
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)


def _as_folder(name: str) -> str:
    """Return the name with what a file system may not like replaced by '-'."""
    folder = re.sub(r"[^\w.,=+-]+", "-", name).strip(".-")
    if not folder:
        raise ConfigError(f"{name!r} cannot be the name of a variant; use letters and digits.")
    return folder


def _refuse_repeated(names: Sequence[str], sentence: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(sentence.format(repr(name)))
