"""Turn what 'hammingway train' and 'hammingway evaluate' left into tables by class labels, beside published numbers.

    python benchmarks/quality/labelled.py mnist-deep results/mnist-deep results/mnist-deep-classics
    python benchmarks/quality/labelled.py mnist-deep results/mnist-deep results/mnist-deep-classics \
        --page docs/benchmarks/mnist-deep.md

The first prints Markdown; the second puts it between the markers of a page. A folder holds records.jsonl, or one folder
a variant. Runs on different data are refused: they do not belong into one table.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import msgspec
from tables import insert, line, mean_and_spread, seeds

from hammingway import registry
from hammingway.bench.session import RECORDS_NAME
from hammingway.bench.spec import Component
from hammingway.bench.store import Record, read_records
from hammingway.bench.training import RESULT_NAME, VariantResult

METRICS = {
    "mAP@all": "Mean average precision over the whole ranking",
    "P@r<=2": "Precision within Hamming radius 2, an empty look-up counting 0",
    "r10@100": "Share of the 10 nearest rows by Euclidean distance among the first 100 results",
}
_NOT_OBJECTIVE = ("network", "training", "image_shape")


@dataclass(frozen=True)
class Run:
    """A measured run: its record, and the log's entry of the epoch that was kept, if it was trained in epochs."""

    record: Record
    kept: dict[str, Any]

    @property
    def row(self) -> tuple[str, str, str]:
        """Return what tells its row from others: method, network, and what it learns from."""
        hasher = self.record.spec.hasher
        maker = registry.load("hashers", hasher.name)
        own = {name: value for name, value in hasher.params.items() if name not in _NOT_OBJECTIVE}
        label = Component(name=hasher.name, params=own).label
        supervised = maker.supervised or bool(hasher.params.get("use_labels"))
        if not hasattr(maker, "default_network"):
            return label, "", _taught(supervised)
        network = _name(hasher.params.get("network"), maker.default_network)
        objective = registry.load("objectives", _name(hasher.params.get("objective"), maker.default_objective))
        return label, network, _taught(supervised or objective.sampling == "pairs")


def read_runs(folder: Path) -> tuple[list[Run], list[VariantResult]]:
    """Return the measured runs below a folder, in the order they were started in, and the variants without numbers."""
    if (folder / RECORDS_NAME).is_file():
        records = read_records(folder / RECORDS_NAME)
        return [Run(record, {}) for record in records if record.costs is not None], []
    found = [msgspec.json.decode(path.read_bytes(), type=VariantResult) for path in folder.glob(f"*/{RESULT_NAME}")]
    if not found:
        raise SystemExit(f"{folder} holds neither {RECORDS_NAME} nor folders with a {RESULT_NAME}.")
    runs = [Run(result.record, result.training) for result in found if result.record is not None]
    return sorted(runs, key=lambda run: run.record.started_at), [one for one in found if one.record is None]


def beside_published(runs: Sequence[Run], reference: dict[str, Any]) -> str:
    """Return published rows, each above ours of the same method."""
    widths = reference["n_bits"]
    lines = [line(["method", "network", "metric", *_bits(widths)]), "|---|---|---|" + "---:|" * len(widths)]
    for metric, beside in dict.fromkeys((one["metric"], one["beside"]) for one in reference["published"]):
        for one in reference["published"]:
            if (one["metric"], one["beside"]) == (metric, beside):
                name, _, network = one["name"].partition(", ")
                lines.append(line([f"{name}, published", network, metric, *(f"{v:.3f}" for v in one["values"])]))
        for row, group in _grouped([run for run in runs if run.record.spec.hasher.name == beside]).items():
            lines.append(line([f"`{row[0]}`", row[1], metric, *_cells(group, metric, widths)]))
    return "\n".join(lines)


def by_metric(runs: Sequence[Run], metric: str, widths: Sequence[int]) -> str:
    """Return one row a method and ranking, those that learn from labels first, and one column a width."""
    lines = [line(["method", "network", "learns from", *_bits(widths)]), "|---|---|---|" + "---:|" * len(widths)]
    groups = _grouped(runs)
    for row in sorted(groups, key=lambda row: row[2]):  # 'labels' before 'rows'; else as they were run
        method, network, taught = row
        lines.append(line([f"`{method}`", network, taught, *_cells(groups[row], metric, widths)]))
        for ranking, result in groups[row][0].record.rankings.items():
            if metric in result.quality:
                cells = _cells(groups[row], metric, widths, ranking=ranking)
                lines.append(line([f"`{method}`, {ranking}", network, taught, *cells]))
    return "\n".join(lines)


def costs(runs: Sequence[Run], widths: Sequence[int]) -> str:
    """Return for each method its seeds, what a fit took of the processor, and which epochs were kept for what.

    Epochs, with the value they were chosen by, are those of the first seed, one a width.
    """
    titles = [
        "method",
        "network",
        "seeds",
        *(f"fit at {width} bits, s" for width in widths),
        "epochs kept",
        "validation",
    ]
    lines = [line(titles), "|---|---|---|" + "---:|" * len(widths) + "---|---|"]
    for (method, network, _), group in _grouped(runs).items():
        seconds = [_mean_seconds([run.record for run in group if run.record.spec.n_bits == width]) for width in widths]
        first = min(run.record.spec.seed for run in group)
        trained = [run for run in group if run.kept and run.record.spec.seed == first]
        kept = [run.kept for run in sorted(trained, key=lambda run: run.record.spec.n_bits)]
        epochs = ", ".join(str(entry["epoch"]) for entry in kept)
        values = ", ".join(_validation(entry) for entry in kept)
        own_seeds = seeds([run.record for run in group])
        lines.append(line([f"`{method}`", network, own_seeds, *seconds, epochs, values]))
    return "\n".join(lines)


def facts(runs: Sequence[Run], without: Sequence[VariantResult], source: str) -> str:
    """Return on what all of it was run, and which variants have no numbers."""
    records = [run.record for run in runs]
    first = records[0]
    machines = {_machine(record.environment) for record in records}
    total = sum(record.costs.fit_processor_seconds or 0.0 for record in records if record.costs)
    data = first.data
    text = (
        f"Data set {first.spec.data.dataset}, protocol {first.spec.data.protocol}: {data.n_queries:,} queries, "
        f"{data.n_database:,} database rows, {data.n_training:,} training rows of {data.d} dimensions. Seeds "
        f"{seeds(records)}; {len(records)} runs, whose fits took {total / 60:.0f} minutes of processor time together. "
        f"{'; '.join(sorted(machines))}. "
        f"Data digest `{first.data.digest}`.\n\nPublished: {source}."
    )
    for one in without:
        text += f"\n\n`{one.name}`: {one.status}, {one.reason}"
    return text


def check_same_data(runs: Sequence[Run], without: Sequence[VariantResult]) -> None:
    """End the program unless all runs were on the same queries, training rows and database."""
    digests = {run.record.data.digest for run in runs} | {one.data_digest for one in without}
    if len(digests) > 1:
        raise SystemExit(f"these runs were on {len(digests)} different sets of data; give results of one protocol.")


def _grouped(runs: Sequence[Run]) -> dict[tuple[str, str, str], list[Run]]:
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault(run.row, []).append(run)
    return groups


def _cells(group: Sequence[Run], metric: str, widths: Sequence[int], *, ranking: str | None = None) -> list[str]:
    """Return the mean of each width; ``ranking`` is that of the results if it is not that by Hamming distance."""
    found: dict[int, list[float]] = {width: [] for width in widths}
    for run in group:
        record = run.record
        quality = record.quality if ranking is None else record.rankings[ranking].quality
        if metric in quality:
            found[record.spec.n_bits].append(quality[metric])
    return [mean_and_spread(found[width]) for width in widths]


def _mean_seconds(records: Sequence[Record]) -> str:
    known = [
        record.costs.fit_processor_seconds
        for record in records
        if record.costs and record.costs.fit_processor_seconds is not None
    ]
    if not known:
        return ""
    seconds = mean(known)
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"


def _validation(entry: dict[str, Any]) -> str:
    values = entry.get("validation", {})
    return next((f"{name} {values[name]:.3f}" for name in ("map", "recall", "loss") if name in values), "")


def _machine(environment: dict[str, Any]) -> str:
    names = ("hammingway", "numpy", "scikit-learn", "torch")
    versions = ", ".join(f"{name} {environment[name]}" for name in names if name in environment)
    return f"{environment['cpu']}, kernel {environment['kernel']}, {versions}"


def _name(choice: Any, default: Any) -> str:
    chosen = choice or default
    return str(chosen if isinstance(chosen, str) else chosen.get("name", default["name"]))


def _taught(supervised: bool) -> str:
    return "labels" if supervised else "rows"


def _bits(widths: Sequence[int]) -> list[str]:
    return [f"{width} bits" for width in widths]


def main() -> None:
    """Print the tables, or put them into their page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", help="section of references.toml")
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--page", type=Path)
    arguments = parser.parse_args()
    reference = tomllib.loads(Path(__file__).with_name("references.toml").read_text())[arguments.reference]
    runs, without = [], []
    for folder in arguments.folders:
        measured, others = read_runs(folder)
        runs += measured
        without += others
    check_same_data(runs, without)
    widths = reference["n_bits"]
    parts = [f"### Beside published numbers\n\n{beside_published(runs, reference)}"]
    parts += [
        f"### {title} (`{metric}`)\n\n{by_metric(runs, metric, widths)}"
        for metric, title in METRICS.items()
        if any(metric in run.record.quality for run in runs)
    ]
    parts += [
        f"### Processor time, and what was kept\n\n{costs(runs, widths)}",
        facts(runs, without, reference["source"]),
    ]
    text = "\n\n".join(parts)
    if arguments.page is None:
        print(text)
    else:
        insert(arguments.page, text)


if __name__ == "__main__":
    main()
