"""Records as a table: for a terminal, for Markdown, or a line of JSON each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hammingway.bench.rankings import Ranking
from hammingway.bench.store import Record
from hammingway.reports.rows import Row, over_seeds, quality_names, rows_from_records

if TYPE_CHECKING:
    import rich.table

__all__ = [
    "METRIC_WORDS",
    "Column",
    "columns",
    "legend",
    "markdown",
    "model_notes",
    "notes",
    "refusals",
    "rich_table",
    "summary",
]

METRIC_WORDS = {"euclidean": "Euclidean distance", "cosine": "cosine similarity", "inner-product": "inner product"}
"""What exact neighbours are nearest by, as a reader calls it."""

_TERMINAL_METRICS = ("r10@10", "r10@100", "mAP@all")
_USUAL = ("r1@1", "r10@10", "r10@100", "mAP@all", "mAP@5000", "P@100", "P@r<=2")
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: a heading, what it shows of a row, how it is printed, and which end is better.

    Parameters
    ----------
    value : a row to a number or text; None where the row has none.
    style : format specification of a number.
    better : 1 where more is better, -1 where less is, 0 where it is no contest.
    """

    title: str
    value: Callable[[Row], float | str | None]
    style: str = ""
    better: int = 0

    def text(self, row: Row) -> str:
        """Return the cell of ``row``."""
        value = self.value(row)
        if value is None:
            return "-"
        return value if isinstance(value, str) else format(value, self.style)


def columns(rows: Sequence[Row], *, metrics: Sequence[str] | None = None) -> list[Column]:
    """Return the columns that describe ``rows``: contestant, metrics, costs.

    Parameters
    ----------
    metrics : the only metrics shown; if not given the usual ones, and all others behind the costs.
    """
    usual = [name for name in quality_names(rows) if name in _USUAL] if metrics is None else metrics
    others = [name for name in quality_names(rows) if name not in usual] if metrics is None else []
    return [
        Column(title="hasher", value=lambda row: row.hasher),
        Column(title="bits", value=lambda row: row.n_bits, style="d"),
        Column(title="bytes", value=lambda row: row.code_bytes, style="d"),
        *[_metric_column(name) for name in usual],
        Column(title="fit s", value=lambda row: row.fit_seconds, style=".3f", better=-1),
        Column(title="encoded/s", value=lambda row: row.encode_rate, style=",.0f", better=1),
        Column(title="queries/s", value=lambda row: row.batch_rate, style=",.0f", better=1),
        Column(title="one query ms", value=lambda row: row.single_ms, style=".3f", better=-1),
        Column(title="index KiB", value=lambda row: row.index_bytes / 1024, style=",.0f", better=-1),
        *[_metric_column(name) for name in others],
    ]


def rich_table(records: Iterable[Record], *, title: str | None = None) -> rich.table.Table:
    """Return a table for a terminal of 80 columns: means over seeds, width by width, the best of each marked."""
    from rich.table import Table
    from rich.text import Text

    rows = sorted(over_seeds(rows_from_records(records)), key=lambda row: row.n_bits)
    shown = _terminal_columns(rows)
    best = _best_cells(rows, shown)
    table = Table(
        title=None if title is None else Text(title, style="bold"),  # as it stands: a title in brackets is no markup
        title_justify="left",
        title_style="bold",
        header_style="bold cyan",
        box=None,
        pad_edge=False,
    )
    for column in shown:
        table.add_column(column.title, justify="left" if column.title == "hasher" else "right", no_wrap=True)
    for row, previous in zip(rows, [None, *rows], strict=False):
        if previous is not None and previous.n_bits != row.n_bits:
            table.add_row()
        texts = [column.text(row) for column in shown]
        marked = [(row.n_bits, text) in best[column.title] for column, text in zip(shown, texts, strict=True)]
        table.add_row(
            *(Text(text, style="bold green" if mark else "") for text, mark in zip(texts, marked, strict=True))
        )
    return table


def markdown(records: Iterable[Record], *, metrics: Sequence[str] | None = None) -> str:
    """Return a Markdown table, means over seeds, the best of each width in bold; legend and notes stand below.

    Parameters
    ----------
    metrics : quality columns, in this order; all if not given.
    """
    records = list(records)
    rows = over_seeds(rows_from_records(records))
    shown = columns(rows, metrics=metrics)
    best = _best_cells(rows, shown)
    lines = [
        "| " + " | ".join(column.title for column in shown) + " |",
        "|" + "|".join("---" if column.title == "hasher" else "---:" for column in shown) + "|",
    ]
    for row in rows:
        cells = [f"**{c.text(row)}**" if (row.n_bits, c.text(row)) in best[c.title] else c.text(row) for c in shown]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    paragraphs = ["\n".join(lines), "\n".join(legend(records)), *notes(records)]
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def legend(records: Iterable[Record]) -> list[str]:
    """Return what was measured on, a line a data set, and what the metrics that a terminal shows say."""
    measured = [record for record in records if record.costs is not None]
    sizes = {
        f"{record.data.n_database:,} vectors of {record.data.d} dimensions, {record.data.n_queries:,} queries"
        + (f"; exact neighbours by {METRIC_WORDS[record.spec.data.metric]}." if record.spec.n_true else ".")
        for record in measured
    }
    names = [name for name in _TERMINAL_METRICS if any(name in record.quality for record in measured)]
    recalls = [match for name in names if (match := re.fullmatch(r"r(\d+)@(\d+)", name))]
    meanings = [f"{each[0]}: share of the {each[1]} exact neighbours among {each[2]} results." for each in recalls]
    if "mAP@all" in names:
        meanings.append("mAP@all: mean average precision of the whole ranking by class label.")
    return [*sorted(sizes), *meanings]


def notes(records: Sequence[Record]) -> list[str]:
    """Return what a reader must know: runs refused, models of unknown training, originals read, queries left out."""
    refused = [f"Not run: {note}" for note in refusals(records)]
    return [*refused, *model_notes(records), *_original_notes(records), *_undefined_notes(records)]


def refusals(records: Iterable[Record]) -> list[str]:
    """Return a sentence for each run that was refused; seeds that were refused for one reason share it."""
    sentences = (
        f"{record.spec.label} at {record.spec.n_bits} bits: {record.reason.rstrip('.')}."
        for record in records
        if record.status == "refused"
    )
    return list(dict.fromkeys(sentences))


def model_notes(records: Iterable[Record]) -> list[str]:
    """Return what is to be said of hashers from files, if there are any."""
    names = ", ".join(dict.fromkeys(record.spec.label for record in records if record.spec.model))
    sentence = f"{names}: fitted before, on rows that are not known; the queries may have been among them."
    return [sentence] if names else []


def _original_notes(records: Iterable[Record]) -> list[str]:
    """Return a sentence for each size of originals that rankings read, which no column of bytes shows."""
    names: dict[int, dict[str, None]] = {}
    for record in records:
        for name in record.rankings:
            if Ranking.parse(name).depth is not None:
                names.setdefault(record.data.vector_bytes, {})[name] = None
    return [
        f"With {', '.join(those)} the originals are read, too, {size:,} bytes each." for size, those in names.items()
    ]


def _undefined_notes(records: Iterable[Record]) -> list[str]:
    """Return a sentence for each number of queries that metrics leave out of their mean, having no value for them."""
    names: dict[tuple[int, int], dict[str, None]] = {}
    for record in records:
        for name, n_undefined in record.undefined.items():
            names.setdefault((n_undefined, record.data.n_queries), {})[name] = None
    return [
        f"{', '.join(undefined)}: {n_undefined} of {n_queries} queries have no relevant item in the database and are "
        "left out of the mean."
        for (n_undefined, n_queries), undefined in names.items()
    ]


def summary(record: Record) -> dict[str, Any]:
    """Return one record as a flat mapping for ``--json``: the run, its metrics and medians of its costs."""
    spec = record.spec
    base: dict[str, Any] = {
        "run_id": record.run_id,
        "status": record.status,
        "dataset": spec.data.dataset,
        "hasher": spec.hasher.name,
        "params": spec.hasher.params,
        **({"model": spec.model, "model_file": spec.model_file} if spec.model else {}),
        "n_bits": spec.n_bits,
        "seed": spec.seed,
        "metric": spec.data.metric,
    }
    if record.costs is None:
        return base | {"reason": record.reason}
    row, *ranked = rows_from_records([record])
    rankings = {
        name: {
            "quality": one.quality,
            "queries_per_second": one.batch_rate,
            "single_query_ms": one.single_ms,
        }
        for name, one in zip(record.rankings, ranked, strict=True)
    }
    return base | {
        "code_bytes": row.code_bytes,
        "quality": row.quality,
        "undefined": record.undefined,
        "rankings": rankings,
        "health": row.health,
        "fit_seconds": row.fit_seconds,
        "fit_processor_seconds": record.costs.fit_processor_seconds,
        "encoded_per_second": row.encode_rate,
        "queries_per_second": row.batch_rate,
        "single_query_ms": row.single_ms,
        "index_bytes": record.costs.index_bytes,
        "data_digest": record.data.digest,
        "environment": record.environment,
    }


def _terminal_columns(rows: Sequence[Row]) -> list[Column]:
    """Return the columns that fit a terminal: the metrics most asked for, rates in short form."""
    present = quality_names(rows)
    names = [name for name in _TERMINAL_METRICS if name in present] or present[:3]
    keep = ("hasher", "bits", "bytes", *names, "fit s")
    return [
        *[column for column in columns(rows) if column.title in keep],
        Column(title="encoded/s", value=lambda row: _short(row.encode_rate)),
        Column(title="queries/s", value=lambda row: _short(row.batch_rate)),
    ]


def _short(number: float) -> str:
    """Return a number in three digits and a unit.

    >>> [_short(number) for number in (7.25, 834, 12_345, 1_234_567)]
    ['7.25', '834', '12.3k', '1.23M']
    """
    for size, unit in _UNITS:
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def _metric_column(name: str) -> Column:
    return Column(title=name, value=lambda row: row.quality.get(name), style=".3f", better=1)


def _best_cells(rows: Sequence[Row], shown: Sequence[Column]) -> dict[str, set[tuple[int, str]]]:
    """Return, for each column, the (width, printed value) pairs that are the best of their width.

    What is printed decides, so that values that look equal are marked alike.
    """
    best: dict[str, set[tuple[int, str]]] = {column.title: set() for column in shown}
    for n_bits in {row.n_bits for row in rows}:
        peers = [row for row in rows if row.n_bits == n_bits]
        for column in shown:
            values = [(value, row) for row in peers if isinstance(value := column.value(row), int | float)]
            if column.better and len(values) > 1:
                winner = max(values, key=lambda pair: column.better * pair[0])[1]
                best[column.title].add((n_bits, column.text(winner)))
    return best
