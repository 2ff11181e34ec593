"""One run of a plan: fit, encode, search, and what each cost and found.

What is timed: ``fit`` once on the training rows, unless the hasher came from a file; ``encode`` once on the
database rows, from vectors in memory to packed codes, and their biases where the hasher has any; ``search`` for
all queries at once and for single queries, every repeat kept, after one search that is not timed. Encoding the
queries is not part of the search. A run's other rankings search the same codes in the same way.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hammingway import registry
from hammingway.bench.data import data_facts
from hammingway.bench.machine import describe_machine
from hammingway.bench.models import Model, read_models
from hammingway.bench.quality import code_health, label_quality, recall_quality
from hammingway.bench.scoring import code_search, ranking_results
from hammingway.bench.spec import Component, PlanSpec, RunSpec
from hammingway.bench.store import Costs, DataFacts, Record, RecordStore
from hammingway.bench.timing import Times, search_timings, timed, timed_fit
from hammingway.bench.truth import exact_neighbors
from hammingway.datasets.retrieval import RetrievalData
from hammingway.errors import ConfigError, InvalidInputError
from hammingway.progress import Progress
from hammingway.suggest import did_you_mean

if TYPE_CHECKING:
    from hammingway.bench.variants import TrainingPlan
    from hammingway.codes import Codes
    from hammingway.hashers.base import Hasher

__all__ = ["Setting", "make_hasher", "measured", "now", "prepare", "preparing", "refused", "run", "run_plan"]


@dataclass(frozen=True, eq=False)
class Setting:
    """What all runs over one data set share.

    Parameters
    ----------
    data : queries, database, training rows, labels.
    facts : sizes and digest of ``data``.
    truth : int64 (n_queries, n_true), each query's exact nearest database rows; without columns where none are sought.
    machine : hardware and versions.
    """

    data: RetrievalData
    facts: DataFacts
    truth: NDArray[np.int64]
    machine: dict[str, Any]


def prepare(data: RetrievalData, plan: PlanSpec | TrainingPlan, *, progress: Progress | None = None) -> Setting:
    """Return the exact neighbours of ``data`` in the plan's metric, if it asks for any, and what else its runs share.

    Raises
    ------
    ConfigError : the plan asks for more neighbours than the database has rows, or for none where there are no labels.
    """
    if plan.n_true > len(data.database):
        raise ConfigError(
            f"n_true is {plan.n_true}, but the database has only {len(data.database)} rows; give more vectors or a "
            "plan with a smaller n_true."
        )
    truth = np.empty((len(data.queries), 0), np.int64)
    if plan.n_true:
        truth, _ = exact_neighbors(data.queries, data.database, plan.n_true, metric=plan.data.metric, progress=progress)
    elif not _shares_labels(data):
        raise ConfigError(
            "n_true is 0 and no query shares a label with the database, so nothing can be measured; give labels, or a "
            "larger n_true."
        )
    return Setting(data, data_facts(data), truth, describe_machine())


def preparing(plan: PlanSpec | TrainingPlan) -> str:
    """Return what a bar calls the work of :func:`prepare`."""
    return "exact neighbours" if plan.n_true else "digest of the data"


def _shares_labels(data: RetrievalData) -> bool:
    """Return whether any query has a label of any database row."""
    if data.query_labels is None or data.database_labels is None:
        return False
    return bool(np.isin(data.query_labels, data.database_labels).any())


def run_plan(
    plan: PlanSpec,
    setting: Setting,
    store: RecordStore | None = None,
    *,
    models: Sequence[Model] | None = None,
    on_record: Callable[[Record], None] | None = None,
    progress: Progress | None = None,
) -> list[Record]:
    """Return one record a run of ``plan``; runs already in ``store`` are not measured again.

    Parameters
    ----------
    store : where new records are appended, each as soon as it is measured.
    models : those of the plan, measured last; read below the current folder if not given.
    on_record : told of each record, old or new, in the order of the plan.
    progress : told how many runs are done, of how many.
    """
    known = {(record.run_id, record.data.digest): record for record in store} if store else {}
    models = read_models(plan) if models is None else models
    runs = [(spec, None) for spec in plan.runs()] + [(model.spec, model.hasher) for model in models]
    records = []
    for number, (spec, model) in enumerate(runs, start=1):
        record = known.get((spec.run_id, setting.facts.digest))
        if record is None:
            record = run(spec, setting, model=model)
            if store is not None:
                store.append(record)
        record = msgspec.structs.replace(record, spec=spec)  # the file of a model may have a new name
        records.append(record)
        if on_record is not None:
            on_record(record)
        if progress is not None:
            progress(number, len(runs))
    return records


def run(spec: RunSpec, setting: Setting, *, model: Hasher | None = None) -> Record:
    """Return the record of one run; one that the hasher refuses (too many bits, no labels) says why.

    Parameters
    ----------
    model : a hasher that is fitted already, which is then measured as it is.

    Raises
    ------
    UnknownNameError, ConfigError : no such hasher or index, or it has no such parameter.
    """
    started = now()
    if model is not None:
        return measured(model, spec, setting, started=started, fit=None)
    hasher = make_hasher(spec)
    if hasher.needs_labels and setting.data.training_labels is None:
        return refused(spec, setting, started, "it needs labels and the data has none")
    try:
        times = timed_fit(partial(hasher.fit, setting.data.training, setting.data.training_labels))
    except InvalidInputError as error:
        return refused(spec, setting, started, str(error))
    return measured(hasher, spec, setting, started=started, fit=times)


def measured(hasher: Hasher, spec: RunSpec, setting: Setting, *, started: str, fit: Times | None) -> Record:
    """Return the record of a fitted hasher: what its codes found, and what encoding and searching cost.

    Parameters
    ----------
    started : when the fit began, UTC, ISO 8601.
    fit : what that took; None where it was fitted elsewhere.
    """
    queries = hasher.encode(setting.data.queries)  # first, as a hasher from a file has not done anything yet
    (database, bias), encode_seconds = timed(partial(_encoded, hasher, setting.data.database))
    index = _filled(spec.index, database, bias)
    k = min(spec.k, len(database))
    search = code_search(hasher, index, queries, setting.data.queries)
    found = search(slice(None), k)
    batch_seconds, single_seconds = search_timings(lambda rows: search(rows, k), len(queries), repeats=spec.repeats)
    quality, curves = recall_quality(found.ids, setting.truth, k=spec.k) if spec.n_true else ({}, {})
    undefined: dict[str, int] = {}
    if setting.data.query_labels is not None:
        labels = (setting.data.query_labels, setting.data.database_labels)
        by_label, undefined, label_curves = label_quality(queries, database, labels)
        quality, curves = quality | by_label, curves | label_curves
    return Record(
        run_id=spec.run_id,
        spec=spec,
        status="measured",
        data=setting.facts,
        environment=setting.machine,
        started_at=started,
        quality=quality,
        undefined=undefined,
        curves=curves,
        health=code_health(database),
        rankings=ranking_results(hasher, index, queries, spec, setting),
        costs=Costs(
            fit_seconds=fit.wall if fit else None,
            encode_seconds=encode_seconds,
            encode_rows=len(database),
            batch_seconds=batch_seconds,
            batch_queries=len(queries),
            single_seconds=single_seconds,
            code_bytes=database.packed.shape[1],
            index_bytes=index.size_bytes,
            fit_processor_seconds=fit.processor if fit else None,
        ),
    )


def _encoded(hasher: Hasher, database: NDArray[Any]) -> tuple[Codes, NDArray[np.float32] | None]:
    """Return what an index needs of vectors: their codes, and their bias where the hasher supplies one."""
    return hasher.encode(database), hasher.code_bias(database) if hasher.has_bias else None


def _filled(component: Component, codes: Codes, bias: NDArray[np.float32] | None) -> Any:
    """Return the index with the codes in it."""
    index = _make(component, "indexes", n_bits=codes.n_bits)
    if bias is None:
        return index.add(codes)
    if "bias" not in inspect.signature(index.add).parameters:
        raise ConfigError(f"{component.name} keeps no bias; take the index 'flat', or leave out norm_correction.")
    return index.add(codes, bias=bias)


def refused(spec: RunSpec, setting: Setting, started: str, reason: str) -> Record:
    """Return the record of a run that is impossible, and why."""
    return Record(
        run_id=spec.run_id,
        spec=spec,
        status="refused",
        data=setting.facts,
        environment=setting.machine,
        started_at=started,
        reason=reason,
    )


def now() -> str:
    """Return the time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def make_hasher(spec: RunSpec) -> Hasher:
    """Return the hasher of a run, not fitted.

    Raises
    ------
    UnknownNameError, ConfigError : no such hasher, or it has no such parameter.
    """
    hasher: Hasher = _make(spec.hasher, "hashers", n_bits=spec.n_bits, random_state=spec.seed)
    return hasher


def _make(component: Component, kind: str, **arguments: Any) -> Any:
    """Return the registered contestant built with its own and the run's parameters, where it takes them."""
    maker = registry.load(kind, component.name)
    accepted = inspect.signature(maker).parameters
    for name in component.params:
        if name in arguments:
            raise ConfigError(f"{component.name} takes {name!r} from the plan itself; remove it from params.")
        if name not in accepted:
            raise ConfigError(f"{component.name} has no parameter {name!r}. {did_you_mean(name, accepted)}")
    return maker(**{name: value for name, value in arguments.items() if name in accepted}, **component.params)
