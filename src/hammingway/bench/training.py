"""Runs a training plan: a folder a variant, with hasher, log, checkpoint and result; what is done is not done again."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from hammingway import registry
from hammingway.bench.checking import check_features, check_labels, checked_hashers
from hammingway.bench.data import open_data
from hammingway.bench.evaluate import Setting, make_hasher, measured, now, prepare, preparing
from hammingway.bench.session import Bar
from hammingway.bench.store import Record
from hammingway.bench.timing import Times, timed_fit
from hammingway.bench.variants import RUN_FIELDS, TrainingPlan, VariantRun
from hammingway.config import Config
from hammingway.errors import ConfigError, FileFormatError, InvalidInputError, TrainingError
from hammingway.processes import n_processes, process_number
from hammingway.progress import Progress
from hammingway.sole_use import sole_use
from hammingway.storage import atomic_writer
from hammingway.suggest import did_you_mean

if TYPE_CHECKING:
    from hammingway.hashers.base import Hasher

__all__ = ["HASHER_NAME", "RESULT_NAME", "VariantResult", "check_plan", "train_plan"]

HASHER_NAME, RESULT_NAME = "hasher.safetensors", "result.json"
_LOCK_NAME = ".lock"
_NO_MORE = -1

Told = Callable[[Mapping[str, Any]], None]


class VariantResult(Config, frozen=True, kw_only=True):
    """What came of a variant.

    Parameters
    ----------
    name : of the variant.
    run_id, data_digest : of exactly what was run, on exactly what.
    status : 'trained'; 'refused' where data and variant do not go together; 'failed' where training could not go on.
    reason : why it was refused or failed.
    hasher : fingerprint of the hasher.
    training : the log's entry of the epoch that was kept; empty for a hasher without a log.
    record : what the benchmark measured.
    """

    name: str
    run_id: str
    data_digest: str
    status: Literal["trained", "refused", "failed"]
    reason: str = ""
    hasher: str = ""
    training: dict[str, Any] = msgspec.field(default_factory=dict)
    record: Record | None = None


def train_plan(
    plan: TrainingPlan,
    *,
    out: str | os.PathLike[str],
    bar: Bar,
    data_dir: str | os.PathLike[str] | None = None,
    tensorboard: bool = False,
    on_result: Callable[[VariantResult], None] | None = None,
    on_entry: Told | None = None,
) -> list[VariantResult]:
    """Return one result a variant, each kept in a folder of its own below ``out``.

    A variant that has a result is not run again; one that was interrupted goes on from its checkpoint. Of several
    processes that torchrun started, the first does all this and the others train along, and return nothing.

    Parameters
    ----------
    bar : shows how far the work is.
    tensorboard : write event files to the folders of variants that keep a log.
    on_result : told of each result, old or new, in the order of the plan.
    on_entry : told of each entry of a log.

    Raises
    ------
    ConfigError : an option of any variant cannot be used, or not on this machine or with this data; told before the
        first is run, of those that have no result yet, or were refused.
    InvalidInputError : a folder holds the result of another configuration, or of other data, that is no refusal; told
        before the first is run.
    FolderInUseError : another process trains into ``out``, or into the folder of a variant.
    """
    runs, hashers = plan.runs(), check_plan(plan, out=out)
    if process_number() > 0:
        _train_along(plan, runs, Path(out), data_dir=data_dir)
        return []
    with sole_use(Path(out) / _LOCK_NAME, work="training"):
        with bar("reading data") as progress:
            data = open_data(plan.data, data_dir=data_dir, progress=progress)
        check_features(hashers, data.training.shape[1])
        check_labels(hashers, labelled=data.training_labels is not None)
        with bar(preparing(plan)) as progress:
            setting = prepare(data, plan, progress=progress)
        known = [_known(Path(out), run, digest=setting.facts.digest) for run in runs]
        results, outputs = [], {"report": on_entry, "tensorboard": tensorboard}
        for number, (run, result) in enumerate(zip(runs, known, strict=True)):
            folder = Path(out) / run.name
            if result is None:
                if _fits_together(run):
                    _next_of_first(number)
                with bar(run.name) as progress:
                    result = _train(run, setting, folder, progress=progress, **outputs)
                with atomic_writer(folder / RESULT_NAME) as file:
                    file.write(msgspec.json.format(msgspec.json.encode(result)))
            results.append(result)
            if on_result is not None:
                on_result(result)
        _next_of_first(_NO_MORE)
    return results


def check_plan(plan: TrainingPlan, *, out: str | os.PathLike[str]) -> dict[str, Hasher]:
    """Return the hashers of the variants that are still to be trained into ``out``, not fitted; no data are read.

    Raises
    ------
    ConfigError : an option of one of them cannot be used, or not on this machine or by several processes.
    InvalidInputError : a folder holds the result of another configuration, that is no refusal.
    FileFormatError : what a folder holds is no result.
    """
    runs = plan.runs()
    ahead = [run for run in runs if not _is_done(_known(Path(out), run))]
    hashers = checked_hashers({f"the variant {run.name!r}": run for run in ahead}, partial(_hasher_of, base=plan.base))
    if n_processes() > 1 and not any(map(_fits_together, runs)):
        raise ConfigError("the plan has no hasher that several processes fit together; leave torchrun out.")
    return hashers


def _fits_together(run: VariantRun) -> bool:
    return bool(registry.load("hashers", run.spec.hasher.name).fits_together)


def _hasher_of(run: VariantRun, *, base: Mapping[str, Any]) -> Hasher:
    """Return the hasher of a variant, not fitted; what may stand beside its parameters in a plan is suggested, too."""
    spec = run.spec.hasher
    known = {
        "seed" if name == "random_state" else name
        for name in inspect.signature(registry.load("hashers", spec.name)).parameters
    }
    for name in spec.params:
        if name not in known:
            of_others = name in base and spec.name != base.get("hasher")
            remedy = f" It stands in [base]; move {name!r} to the variants that need it." if of_others else ""
            raise ConfigError(
                f"{spec.name} has no parameter {name!r}. {did_you_mean(name, known | {*RUN_FIELDS})}{remedy}"
            )
    return make_hasher(run.spec)


def _next_of_first(number: int = _NO_MORE) -> int:
    """Return the number of the run that all train next: the first process tells it to the others."""
    if n_processes() == 1:
        return number
    from hammingway.deep.distributed import first_says

    return int(first_says([number])[0])


def _train_along(
    plan: TrainingPlan, runs: Sequence[VariantRun], out: Path, *, data_dir: str | os.PathLike[str] | None
) -> None:
    """Train what the first process trains, which keeps what comes of it, and the reason where nothing does."""
    data = None
    while (number := _next_of_first()) != _NO_MORE:
        data = open_data(plan.data, data_dir=data_dir) if data is None else data
        hasher: Any = make_hasher(runs[number].spec)
        with suppress(TrainingError, InvalidInputError):
            _of_all(timed_fit(partial(hasher.fit, data.training, data.training_labels, folder=out / runs[number].name)))


def _of_all(times: Times) -> Times:
    """Return times with the processor time of all processes that fitted together."""
    if n_processes() == 1:
        return times
    from hammingway.deep.distributed import summed

    return Times(times.wall, summed(times.processor))


def _known(out: Path, run: VariantRun, *, digest: str | None = None) -> VariantResult | None:
    """Return what came of exactly this run, on any data where no digest is given; None where it is still to be done."""
    path = out / run.name / RESULT_NAME
    if not path.is_file():
        return None
    try:
        result = msgspec.json.decode(path.read_bytes(), type=VariantResult)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FileFormatError(f"{path} is no result of this version ({error}); remove it to run it again.") from error
    if result.run_id == run.spec.run_id and digest in (None, result.data_digest):
        return result
    if not _is_done(result):
        return None
    raise InvalidInputError(
        f"{path.parent} holds the result of another configuration or other data under the same name; give another "
        "folder, rename the variant, or delete that folder."
    )


def _is_done(result: VariantResult | None) -> bool:
    """Return whether there is something to lose; behind a refusal there is no hasher."""
    return result is not None and result.status != "refused"


def _train(run: VariantRun, setting: Setting, folder: Path, *, progress: Progress, **outputs: Any) -> VariantResult:
    folder.mkdir(parents=True, exist_ok=True)
    begun_before = any(folder.iterdir())
    hasher, started, data = make_hasher(run.spec), now(), setting.data
    extra: dict[str, Any] = {}
    if "folder" in inspect.signature(hasher.fit).parameters:  # those that can be interrupted
        extra = {"folder": folder, **outputs}
    identity: dict[str, Any] = {"name": run.name, "run_id": run.spec.run_id, "data_digest": setting.facts.digest}
    try:
        times = timed_fit(partial(hasher.fit, data.training, data.training_labels, progress=progress, **extra))
    except TrainingError as error:
        return VariantResult(**identity, status="failed", reason=str(error))
    except ConfigError as error:  # a mistake in the plan, not a property of the hasher
        raise ConfigError(f"the variant {run.name!r}: {error}") from error
    except InvalidInputError as error:
        return VariantResult(**identity, status="refused", reason=str(error))
    times = _of_all(times) if hasher.fits_together else times
    hasher.save(folder / HASHER_NAME)
    log: list[dict[str, Any]] = getattr(hasher, "training_log_", [])
    validated = [entry for entry in log if "validation" in entry]
    if begun_before and log:  # the log counts what went before an interruption too
        last = log[-1]
        times = Times(max(times.wall, last["seconds"]), max(times.processor, last["processor_seconds"]))
    return VariantResult(
        **identity,
        status="trained",
        hasher=hasher.fingerprint(),
        training=_best(validated) if validated else (log or [{}])[-1],
        record=measured(hasher, run.spec, setting, started=started, fit=times),
    )


def _best(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the entry of the best validation, the one whose weights were kept."""
    if "loss" in entries[0]["validation"]:
        return min(entries, key=lambda entry: float(entry["validation"]["loss"]))
    name = next(name for name in ("map", "recall") if name in entries[0]["validation"])
    return max(entries, key=lambda entry: float(entry["validation"][name]))
