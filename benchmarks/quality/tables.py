"""Turn benchmark records into the tables of docs/benchmarks, beside the numbers of others.

    python benchmarks/quality/tables.py mnist results/mnist/records.jsonl
    python benchmarks/quality/tables.py mnist results/mnist/records.jsonl docs/benchmarks/mnist.md

The first prints Markdown; the second puts it between the markers of a page.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Sequence
from pathlib import Path
from statistics import stdev
from typing import Any

from hammingway.bench.store import Record, read_records
from hammingway.reports.rows import Row, over_seeds, rows_from_records
from hammingway.storage import atomic_writer

MNIST_METRICS = ("mAP@all", "mAP@5000", "mAP@5000 hits only")


def mnist(records: Sequence[Record], reference: dict[str, Any]) -> str:
    """Return one row a hasher and metric, one column a width, the published rows first."""
    widths = reference["n_bits"]
    lines = [line(["", "metric", *(f"{width} bits" for width in widths)]), "|---|---|" + "---:|" * len(widths)]
    for name, values in reference["rows"].items():
        lines.append(line([f"{name}, published", "stated: mAP@5000", *(f"{value:.3f}" for value in values)]))
    rows = rows_from_records(records)
    for hasher in dict.fromkeys(row.hasher for row in rows):
        for metric in MNIST_METRICS:
            cells = [
                mean_and_spread([r.quality[metric] for r in rows if (r.hasher, r.n_bits) == (hasher, w)])
                for w in widths
            ]
            lines.append(line([f"`{hasher}`", metric, *cells]))
    return "\n".join(lines)


def debian_minilm(records: Sequence[Record], reference: dict[str, Any]) -> str:
    """Return one row a run with both recalls, the reference's and the differences."""
    titles = ["bytes", "bits", "hasher", "r10@10", "reference", "difference", "r10@100", "reference", "difference"]
    lines = [line(titles), "|---:|---:|---|" + "---:|" * 6]
    for row in sorted(over_seeds(rows_from_records(records)), key=lambda row: row.n_bits):
        expected = reference["rows"].get(f"{row.hasher} {row.n_bits}", [None, None])
        lines.append(line([str(row.code_bytes), str(row.n_bits), f"`{row.hasher}`", *_beside(row, expected)]))
    return "\n".join(lines)


def debian_minilm_asymmetric(records: Sequence[Record], reference: dict[str, Any]) -> str:
    """Return one row a hasher, width and ranking with both recalls, the reference's and the differences."""
    titles = ["bytes", "hasher", "ranking", "r10@10", "reference", "difference", "r10@100", "reference", "difference"]
    lines = [line(titles), "|---:|---|---|" + "---:|" * 6]
    for row in sorted(over_seeds(rows_from_records(records)), key=lambda row: row.n_bits):
        name, _, ranking = row.hasher.partition(" ")
        expected = reference["rows"].get(f"{row.hasher} {row.n_bits}", [None, None])
        lines.append(line([str(row.code_bytes), f"`{name}`", ranking or "symmetric", *_beside(row, expected)]))
    return "\n".join(lines)


def _beside(row: Row, expected: Sequence[float | None]) -> list[str]:
    cells = []
    for metric, other in zip(("r10@10", "r10@100"), expected, strict=True):
        ours = row.quality[metric]
        cells += [f"{ours:.3f}", *(["", ""] if other is None else [f"{other:.3f}", f"{ours - other:+.3f}"])]
    return cells


def mean_and_spread(values: Sequence[float]) -> str:
    """Return the mean over seeds and, where seeds matter, the standard deviation."""
    if not values:
        return ""
    mean = sum(values) / len(values)
    spread = stdev(values) if len(values) > 1 else 0.0
    return f"{mean:.3f} ± {spread:.3f}" if spread >= 0.0005 else f"{mean:.3f}"


def line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def provenance(records: Sequence[Record], source: str) -> str:
    first = records[0]
    data, facts, machine = first.spec.data, first.data, first.environment
    split = f"protocol {data.protocol}" if data.protocol else f"split seed {data.split_seed}"
    return (
        f"Data set {data.dataset}, {split}: {facts.n_queries:,} queries, {facts.n_database:,} database rows, hashers "
        f"fitted on {facts.n_training:,} rows of {facts.d} dimensions; exact neighbours by "
        f"{data.metric.replace('-', ' ')}. Hasher seeds {seeds(records)}; {len(records)} runs. "
        f"hammingway {machine['hammingway']}, NumPy {machine['numpy']}, scikit-learn {machine['scikit-learn']}, "
        f"kernel {machine['kernel']}. Data digest `{facts.digest}`.\n\nReference: {source}."
    )


def seeds(records: Sequence[Record]) -> str:
    """Return the seeds of the records, in order."""
    return ", ".join(str(seed) for seed in sorted({record.spec.seed for record in records}))


def insert(page: Path, text: str, *, name: str = "table") -> None:
    """Replace what stands between the markers of this name on ``page``."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    content = page.read_text()
    before, _, rest = content.partition(begin)
    _, _, after = rest.partition(end)
    if begin not in content or end not in rest:
        raise SystemExit(f"{page} needs the lines {begin} and {end} around the place of the {name}.")
    with atomic_writer(page) as file:
        file.write(f"{before}{begin}\n{text}\n{end}{after}".encode())


def main() -> None:
    """Print a table, or put it into its page."""
    tables = {"mnist": mnist, "debian-minilm": debian_minilm, "debian-minilm-asymmetric": debian_minilm_asymmetric}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=sorted(tables))
    parser.add_argument("records", type=Path)
    parser.add_argument("page", type=Path, nargs="?")
    arguments = parser.parse_args()
    reference = tomllib.loads(Path(__file__).with_name("references.toml").read_text())[arguments.table]
    records = read_records(arguments.records)
    text = f"{tables[arguments.table](records, reference)}\n\n{provenance(records, reference['source'])}"
    if arguments.page is None:
        print(text)
    else:
        insert(arguments.page, text)


if __name__ == "__main__":
    main()
