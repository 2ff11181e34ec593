"""Records as a table: for a terminal, for Markdown, or a line of JSON each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hammingway.bench.store import Record
from hammingway.reports.rows import Row, over_seeds, quality_names, rows_from_records

if TYPE_CHECKING:
    import rich.table

__all__ = ["Column", "columns", "markdown", "refusals", "rich_table", "summary"]

_TERMINAL_METRICS = 5


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
    """Return the columns that describe ``rows``: contestant, the metrics named (all if None), costs."""
    names = quality_names(rows) if metrics is None else metrics
    return [
        Column(title="hasher", value=lambda row: row.hasher),
        Column(title="bits", value=lambda row: row.n_bits, style="d"),
        Column(title="bytes", value=lambda row: row.code_bytes, style="d"),
        *[_metric_column(name) for name in names],
        Column(title="fit s", value=lambda row: row.fit_seconds, style=".2f", better=-1),
        Column(title="encoded/s", value=lambda row: row.encode_rate, style=",.0f", better=1),
        Column(title="queries/s", value=lambda row: row.batch_rate, style=",.0f", better=1),
        Column(title="one query ms", value=lambda row: row.single_ms, style=".3f", better=-1),
        Column(title="index KiB", value=lambda row: row.index_bytes / 1024, style=",.0f", better=-1),
    ]


def rich_table(records: Iterable[Record], *, title: str | None = None) -> rich.table.Table:
    """Return a table for the terminal: means over seeds, the best value of each width in bold."""
    from rich.table import Table

    rows = over_seeds(rows_from_records(records))
    shown = columns(rows, metrics=quality_names(rows)[:_TERMINAL_METRICS])
    table = Table(title=title, title_justify="left", header_style="bold cyan", box=None, pad_edge=False)
    for column in shown:
        table.add_column(column.title, justify="left" if column.title == "hasher" else "right", no_wrap=True)
    best = _best_cells(rows, shown)
    for row in rows:
        cells = [
            f"[bold green]{c.text(row)}[/]" if (row.n_bits, c.text(row)) in best[c.title] else c.text(row)
            for c in shown
        ]
        table.add_row(*cells, end_section=row is rows[-1])
    return table


def markdown(records: Iterable[Record], *, metrics: Sequence[str] | None = None) -> str:
    """Return a Markdown table, means over seeds, the best of each width in bold; refused runs stand below it.

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
        lines.append("| " + " | ".join(cells) + " |")
    notes = [f"Not run: {note}" for note in refusals(records)]
    return "\n".join(lines + [line for note in notes for line in ("", note)]) + "\n"


def refusals(records: Iterable[Record]) -> list[str]:
    """Return a sentence for each run that was refused."""
    return [
        f"{record.spec.hasher.label} at {record.spec.n_bits} bits: {record.reason.rstrip('.')}."
        for record in records
        if record.status == "refused"
    ]


def summary(record: Record) -> dict[str, Any]:
    """Return one record as a flat mapping for ``--json``: the run, its metrics and medians of its costs."""
    base: dict[str, Any] = {
        "run_id": record.run_id,
        "status": record.status,
        "dataset": record.spec.data.dataset,
        "hasher": record.spec.hasher.name,
        "params": record.spec.hasher.params,
        "n_bits": record.spec.n_bits,
        "seed": record.spec.seed,
        "metric": record.spec.data.metric,
    }
    if record.costs is None:
        return base | {"reason": record.reason}
    (row,) = rows_from_records([record])
    return base | {
        "code_bytes": row.code_bytes,
        "quality": row.quality,
        "health": row.health,
        "fit_seconds": row.fit_seconds,
        "encoded_per_second": row.encode_rate,
        "queries_per_second": row.batch_rate,
        "single_query_ms": row.single_ms,
        "index_bytes": record.costs.index_bytes,
        "data_digest": record.data.digest,
        "environment": record.environment,
    }


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
            values = [(value, row) for row in peers if isinstance(value := column.value(row), float)]
            if column.better and len(values) > 1:
                winner = max(values, key=lambda pair: column.better * pair[0])[1]
                best[column.title].add((n_bits, column.text(winner)))
    return best
