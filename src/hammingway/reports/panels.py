"""Which charts a report shows of one data set, in what order, and the sentence that leads each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hammingway.reports import charts
from hammingway.reports.rows import Row, of_codes_alone

__all__ = ["Panel", "main_metric", "panels"]

_MAP_NAMES = ("mAP@all", "mAP@1000", "mAP@5000")
_MULTIPLES = 4
_NEARLY_ALL = 0.95


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A titled chart, or small multiples side by side.

    Parameters
    ----------
    title, lead : heading and the sentence below it.
    charts : (caption, Vega-Lite specification); a single chart has no caption.
    """

    title: str
    lead: str
    charts: list[tuple[str, dict[str, Any]]]

    @property
    def wide(self) -> bool:
        """Whether the panel takes the full width of the page."""
        return len(self.charts) > 1


def main_metric(rows: Sequence[Row], n_true: int) -> str:
    """Return what sums a run up: recall of the true ``n_true`` in as many results, where measured; mAP without any."""
    name = f"r{n_true}@{n_true}"
    if not n_true:
        return "mAP@all"
    return name if any(name in row.quality for row in rows) else "r1@1"


def panels(rows: Sequence[Row], *, hashers: Sequence[str], n_true: int) -> list[Panel]:
    """Return the panels for the rows of one data set."""
    main = main_metric(rows, n_true)
    result = [_size_panel(rows, hashers, main, n_true)] if n_true else []
    map_names = [name for name in _MAP_NAMES if any(name in row.quality for row in rows)]
    if map_names:
        result.append(_map_panel(rows, hashers, map_names[0]))
    elif any(f"r{n_true}@100" in row.quality for row in rows) and n_true != 100:
        result.append(_shortlist_panel(rows, hashers, n_true))
    result.append(_rate_panel(rows, hashers, main))
    result.append(_code_panel(rows, hashers))
    widths = _some_widths(rows)
    if n_true:
        result.append(_recall_curves(rows, hashers, widths, n_true))
    if any("precision-recall" in row.curves for row in rows):
        result.append(_lookup_curves(rows, hashers, widths))
    return result


def _size_panel(rows: Sequence[Row], hashers: Sequence[str], recall: str, n_true: int) -> Panel:
    n_sought = 1 if recall == "r1@1" else n_true
    what = "exact neighbour that is the first result" if n_sought == 1 else "exact neighbours among as many results"
    return Panel(
        title="Recall against bytes",
        lead=f"Share of the {n_sought} {what}; higher and to the left is better.{_left_out(rows)}",
        charts=[("", charts.metric_against_size(of_codes_alone(rows), recall, hashers=hashers))],
    )


def _map_panel(rows: Sequence[Row], hashers: Sequence[str], name: str) -> Panel:
    return Panel(
        title="mAP against bits",
        lead=f"{name} by class label, the expectation over all orders of equally distant items.",
        charts=[("", charts.metric_against_size(rows, name, hashers=hashers, size="bits"))],
    )


def _shortlist_panel(rows: Sequence[Row], hashers: Sequence[str], n_true: int) -> Panel:
    return Panel(
        title="Recall of a short list against bytes",
        lead=f"Share of the {n_true} exact neighbours among 100 results: what re-ranking 100 originals would recover."
        + _left_out(rows),
        charts=[("", charts.metric_against_size(of_codes_alone(rows), f"r{n_true}@100", hashers=hashers))],
    )


def _left_out(rows: Sequence[Row]) -> str:
    """Return what a chart against the bytes of a code must say of rankings that read more than that."""
    return " Rankings that read the originals, too, are left out." if any(row.reads_originals for row in rows) else ""


def _rate_panel(rows: Sequence[Row], hashers: Sequence[str], metric: str) -> Panel:
    return Panel(
        title=f"Queries a second against {'mAP' if metric.startswith('mAP') else 'recall'}",
        lead="All queries at once, encoding not included, a mark a width; up and to the right is better.",
        charts=[("", charts.rate_against_quality(rows, metric, hashers=hashers))],
    )


def _code_panel(rows: Sequence[Row], hashers: Sequence[str]) -> Panel:
    """Return how many codes are distinct or, where nearly all are and nothing is to be seen, the latency."""
    if min(row.health["distinct share"] for row in rows) < _NEARLY_ALL:
        return Panel(
            title="Distinct codes against bits",
            lead="Share of the database's codes that are distinct: items with equal codes cannot be told apart.",
            charts=[("", charts.distinct_against_bits(rows, hashers=hashers))],
        )
    return Panel(
        title="One query against bits",
        lead="Milliseconds for a query handed over alone, encoding not included, median; lower is better.",
        charts=[("", charts.latency_against_bits(rows, hashers=hashers))],
    )


def _recall_curves(rows: Sequence[Row], hashers: Sequence[str], widths: Sequence[int], n_true: int) -> Panel:
    top = max(recall for row in rows for _, recall in row.curves["recall"])
    return Panel(
        title="Recall against results looked at",
        lead=f"How long a short list must be to hold the {n_true} exact neighbours.",
        charts=[
            (f"{n_bits} bits", charts.recall_curve(_at(rows, n_bits), hashers=hashers, top=top, n_true=n_true))
            for n_bits in widths
        ],
    )


def _lookup_curves(rows: Sequence[Row], hashers: Sequence[str], widths: Sequence[int]) -> Panel:
    return Panel(
        title="Precision and recall",
        lead="By class label, along the ranking from its first item to its last.",
        charts=[(f"{n_bits} bits", charts.lookup_curve(_at(rows, n_bits), hashers=hashers)) for n_bits in widths],
    )


def _at(rows: Sequence[Row], n_bits: int) -> list[Row]:
    return [row for row in rows if row.n_bits == n_bits]


def _some_widths(rows: Sequence[Row]) -> list[int]:
    """Return up to four widths, evenly spread from the narrowest to the widest."""
    widths = sorted({row.n_bits for row in rows})
    if len(widths) <= _MULTIPLES:
        return widths
    places = [round(place * (len(widths) - 1) / (_MULTIPLES - 1)) for place in range(_MULTIPLES)]
    return [widths[place] for place in places]
