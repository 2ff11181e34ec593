"""From a plan and a folder to records: open the data, find the truth, run what is missing."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from hammingway import registry
from hammingway.bench.checking import check_features, checked_hashers
from hammingway.bench.data import open_data
from hammingway.bench.evaluate import make_hasher, prepare, preparing, run_plan
from hammingway.bench.models import check_dimensions, read_models
from hammingway.bench.spec import Component, DataSpec, PlanSpec
from hammingway.bench.store import Record, RecordStore
from hammingway.progress import Progress

__all__ = ["DEMO_PLAN", "RECORDS_NAME", "locate", "measure"]

RECORDS_NAME = "records.jsonl"

_DEMO_HASHERS = ("lsh", "sign", "pcah", "pcar", "itq", "sh", "cca-itq", "distilled")
DEMO_PLAN = PlanSpec(
    title="Eight hashers on handwritten digits",
    data=DataSpec(dataset="digits"),
    hashers=tuple(Component(name=name) for name in _DEMO_HASHERS),
    n_bits=(8, 16, 32, 64),
)
"""Every hasher that needs no network, at four widths on the embedded digits, by float neighbours and by labels."""

Bar = Callable[[str], AbstractContextManager[Progress]]
"""Called with a label; gives a progress callable for as long as that work takes."""


def measure(
    plan: PlanSpec,
    *,
    bar: Bar,
    data_dir: str | os.PathLike[str] | None = None,
    model_dir: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> list[Record]:
    """Return one record a run of ``plan``.

    Parameters
    ----------
    bar : shows how far the work is.
    data_dir : where files and local copies of data sets are.
    model_dir : what the plan's files of hashers lie below; the current folder if not given.
    out : folder whose ``records.jsonl`` keeps the records; runs that are there already are not repeated.
    on_record : told of each record as soon as it is there.

    Raises
    ------
    ConfigError : an option of a hasher, of those that have no record yet, is not known or cannot be used on this
        machine; told before the first is fitted. What a hasher refuses for another reason is a record of its own.
    FolderInUseError : another evaluation is writing to ``out``.
    ShapeError : a model takes vectors of other dimensions.
    """
    store = None if out is None else RecordStore(Path(out) / RECORDS_NAME)
    done = {record.run_id for record in store or ()}
    ahead = [spec for spec in plan.runs() if spec.run_id not in done]
    hashers = checked_hashers(
        {f"{spec.label} of {spec.n_bits} bits": spec for spec in ahead}, make_hasher, lenient=True
    )
    models = read_models(plan, folder=model_dir)
    with bar("reading data") as progress:
        data = open_data(plan.data, data_dir=data_dir, progress=progress)
    check_dimensions(models, data.database.shape[1])
    check_features(hashers, data.training.shape[1], lenient=True)
    with nullcontext() if store is None else store.exclusive():
        with bar(preparing(plan)) as progress:
            setting = prepare(data, plan, progress=progress)
        with bar("runs") as progress:
            return run_plan(plan, setting, store, models=models, on_record=on_record, progress=progress)


def locate(
    data: str, labels: str | None, data_dir: str | os.PathLike[str] | None
) -> tuple[str, str | None, str | os.PathLike[str] | None]:
    """Return (dataset, labels, data_dir) as a plan wants them, from what a person typed.

    A file or folder that is there is named by its own folder, so that the run is the same from any working
    directory; a registered name, or a file below ``data_dir``, stays as it is.
    """
    path = Path(data)
    if data in registry.names("datasets") or data_dir is not None or not path.exists():
        return data, labels, data_dir
    folder = path.resolve().parent
    relative = None if labels is None else os.path.relpath(Path(labels).resolve(), folder)
    return path.name, relative, folder
