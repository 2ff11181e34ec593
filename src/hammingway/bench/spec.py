"""Benchmark runs as frozen data: one run, and the plan (a TOML file) that unfolds into many."""

from __future__ import annotations

import itertools
import os
from typing import Annotated, Any, Literal

import msgspec

from hammingway.bench.rankings import check_rankings
from hammingway.bench.truth import MetricName
from hammingway.config import Config, fingerprint, read_toml
from hammingway.errors import ConfigError

__all__ = ["Component", "DataSpec", "ModelFile", "PlanSpec", "RunSpec", "read_plan"]

Positive = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
Bits = Annotated[int, msgspec.Meta(ge=1, le=4096)]


class Component(Config, frozen=True, kw_only=True):
    """A registered contestant and its parameters.

    Parameters
    ----------
    name : registry name, such as 'itq' or 'flat'.
    params : keyword arguments handed to its constructor.
    """

    name: str
    params: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and parameters as one legend entry.

        >>> Component(name="itq", params={"n_iter": 3}).label
        'itq(n_iter=3)'
        """
        params = ", ".join(f"{key}={value}" for key, value in sorted(self.params.items()))
        return _printable(f"{self.name}({params})" if params else self.name)


class ModelFile(Config, frozen=True, kw_only=True):
    """A hasher that is fitted already.

    Parameters
    ----------
    file : as :meth:`Hasher.save` wrote it; below the folder of the plan file.
    """

    file: str


class DataSpec(Config, frozen=True, kw_only=True):
    """Which vectors, and how they are split into queries and database.

    Parameters
    ----------
    dataset : a registered data set name, or the name of a file below the data folder, or of a folder there with one
        folder of npy files a class.
    protocol : named split of a registered data set; its default if not given. Not for files.
    key : which array of an HDF5 file, or column of a parquet file, holds the vectors. Only for files, as all below.
    labels : file of one class number a row, below the data folder; or a folder of class folders, the same as
        ``dataset``.
    n_queries : rows held out as queries.
    n_database : None: the queries are a sample drawn with ``split_seed`` and all other rows the database, as
        :func:`hammingway.datasets.from_vectors` does. A number: the rows are permuted by
        ``numpy.random.default_rng(split_seed)``, the first ``n_queries`` are the queries and the last
        ``n_database`` the database.
    split_seed : of that choice.
    fit_on : what hashers learn from: the protocol's training rows, or the whole database, as published
        unsupervised methods often do. For a file the two are the same.
    metric : what the exact neighbours are nearest by.
    """

    dataset: str
    protocol: str | None = None
    key: str | None = None
    labels: str | None = None
    n_queries: Positive = 1000
    n_database: Positive | None = None
    split_seed: Natural = 0
    fit_on: Literal["training", "database"] = "training"
    metric: MetricName = "euclidean"


class RunSpec(Config, frozen=True, kw_only=True):
    """One benchmark run; everything that decides its result, and nothing else.

    Parameters
    ----------
    data : vectors, split and float metric.
    hasher, index : registered contestants.
    n_bits : bits a code.
    k : results returned a query, and the end of the recall curve.
    n_true : exact neighbours a query that count as found; 0 to seek none and measure by labels alone.
    seed : ``random_state`` of the hasher; None for a model that was fitted without.
    repeats : times each search is timed, at least; every timing is kept.
    rankings : other rankings of the same codes, beside that by Hamming distance: 'asymmetric-8', 'rerank-100' and
        the like, see :class:`hammingway.bench.rankings.Ranking`.
    model : fingerprint of a hasher that is read from a file and not fitted; empty for all others.
    model_file : what that file is called; the only field that decides nothing.
    """

    data: DataSpec
    hasher: Component
    n_bits: Bits
    index: Component = Component(name="flat")
    k: Positive = 100
    n_true: Natural = 10
    seed: Natural | None = 0
    repeats: Positive = 5
    rankings: tuple[str, ...] = ()
    model: str = ""
    model_file: str = ""

    @property
    def run_id(self) -> str:
        """Return ``b2:`` and a digest of every field: equal for equal specs, in any process.

        Without rankings or a model it is the digest that records had before there were any.
        """
        absent = [name for name in ("rankings", "model") if not getattr(self, name)]
        return fingerprint(self, leave_out=("model_file", *absent))

    @property
    def label(self) -> str:
        """What tables and legends call the run: the hasher with its parameters, or with the file it comes from."""
        return _printable(f"{self.hasher.name}(model={self.model_file})") if self.model else self.hasher.label


class PlanSpec(Config, frozen=True, kw_only=True):
    """A grid of runs over one data set, and hashers that are fitted already.

    Parameters
    ----------
    data, index, k, n_true, repeats, rankings : as in :class:`RunSpec`.
    hashers : contestants, each run at every width and seed.
    n_bits : widths, in bits.
    seeds : seeds; each is a run of its own.
    models : files of hashers, measured at their own width and not fitted.
    title : heading of the report.

    Examples
    --------
    >>> plan = PlanSpec(
    ...     data=DataSpec(dataset="digits"), hashers=(Component(name="lsh"), Component(name="itq")), n_bits=(16, 32)
    ... )
    >>> [(run.hasher.name, run.n_bits) for run in plan.runs()]
    [('lsh', 16), ('lsh', 32), ('itq', 16), ('itq', 32)]
    """

    data: DataSpec
    hashers: tuple[Component, ...] = ()
    n_bits: tuple[Bits, ...] = ()
    seeds: tuple[Natural, ...] = (0,)
    models: tuple[ModelFile, ...] = ()
    index: Component = Component(name="flat")
    k: Positive = 100
    n_true: Natural = 10
    repeats: Positive = 5
    rankings: tuple[str, ...] = ()
    title: str = ""

    def runs(self) -> tuple[RunSpec, ...]:
        """Return every run that fits a hasher: hashers, then widths, then seeds, each once.

        Raises
        ------
        ConfigError : nothing to run, one combination stands twice in the plan, there is no such ranking, or rankings
            without neighbours to be found.
        """
        check_rankings(self.rankings)
        if self.rankings and not self.n_true:
            raise ConfigError("rankings are compared by the neighbours they find, and n_true is 0; remove one of them.")
        grid = itertools.product(self.hashers, self.n_bits, self.seeds)
        runs = tuple(self.run(hasher, n_bits, seed) for hasher, n_bits, seed in grid)
        only_models = self.models and not self.hashers and not self.n_bits
        if not runs and not only_models:
            raise ConfigError(
                "the plan has nothing to run: give at least one hasher, one width and one seed, or only models."
            )
        if len({run.run_id for run in runs}) < len(runs):
            raise ConfigError("the plan lists a hasher, width or seed twice; remove the repetition.")
        return runs

    def run(
        self, hasher: Component, n_bits: int, seed: int | None, *, model: str = "", model_file: str = ""
    ) -> RunSpec:
        """Return one run; its other fields are those of the plan."""
        return RunSpec(
            data=self.data,
            hasher=hasher,
            n_bits=n_bits,
            index=self.index,
            k=self.k,
            n_true=self.n_true,
            seed=seed,
            repeats=self.repeats,
            rankings=self.rankings,
            model=model,
            model_file=model_file,
        )


def read_plan(path: str | os.PathLike[str]) -> PlanSpec:
    """Return the plan in a TOML file.

    Raises
    ------
    ConfigError : unreadable, not TOML, an unknown key (with a suggestion) or a wrong value.
    """
    return read_toml(PlanSpec, path)


def _printable(text: str) -> str:
    """Return ``text`` on one line, what commands a terminal spelt out: a file may have any name."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
