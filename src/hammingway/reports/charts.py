"""The report's charts as Vega-Lite specifications: one look, one colour and one shape a hasher."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from hammingway.errors import MissingExtraError
from hammingway.reports.rows import Row

try:
    import altair as alt
except ModuleNotFoundError as error:
    raise MissingExtraError("the HTML report", "report") from error

__all__ = [
    "COLORS",
    "SHAPES",
    "distinct_against_bits",
    "latency_against_bits",
    "lookup_curve",
    "metric_against_size",
    "rate_against_quality",
    "recall_curve",
]

# Okabe & Ito's palette, told apart with every common colour blindness; its yellow is too pale for white paper.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D", "#8C6D1F")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")

_INK, _FAINT, _GRID = "#1f2933", "#52606d", "#e4e7eb"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"
_HEIGHT = 260


def metric_against_size(
    rows: Sequence[Row], metric: str, *, hashers: Sequence[str], size: str = "bytes"
) -> dict[str, Any]:
    """Return the chart of a metric against code size, in 'bytes' or 'bits', on a logarithmic axis."""
    points = [
        _point(row, x=row.code_bytes if size == "bytes" else row.n_bits, y=row.quality[metric])
        for row in rows
        if metric in row.quality
    ]
    return _lines(points, _size_axis(points, size), _unit_axis([point["y"] for point in points], metric), hashers)


def distinct_against_bits(rows: Sequence[Row], *, hashers: Sequence[str]) -> dict[str, Any]:
    """Return the chart of the share of codes that are distinct against code width."""
    points = [_point(row, x=row.n_bits, y=row.health["distinct share"]) for row in rows]
    return _lines(points, _size_axis(points, "bits"), _unit_axis([1.0], "share of codes distinct"), hashers)


def recall_curve(rows: Sequence[Row], *, hashers: Sequence[str], top: float, n_true: int) -> dict[str, Any]:
    """Return the chart of recall against the number of results looked at; ``top`` ends the y axis."""
    points = [_point(row, x=k, y=recall) for row in rows for k, recall in row.curves.get("recall", [])]
    ranks = [rank for rank in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if rank <= max(p["x"] for p in points)]
    axis = alt.Axis(values=ranks, format="d")
    x = alt.X("x:Q", title="results looked at", scale=alt.Scale(type="log", nice=False), axis=axis)
    return _lines(points, x, _unit_axis([top], f"share of the true {n_true} found"), hashers)


def lookup_curve(rows: Sequence[Row], *, hashers: Sequence[str]) -> dict[str, Any]:
    """Return the precision-recall chart."""
    points = [
        _point(row, x=recall, y=precision, order=place)
        for row in rows
        for place, (recall, precision) in enumerate(row.curves.get("precision-recall", []))
    ]
    x = alt.X("x:Q", title="recall", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".1f", tickCount=5))
    return _lines(points, x, _unit_axis([1.0], "precision"), hashers, marked=False)


def rate_against_quality(rows: Sequence[Row], metric: str, *, hashers: Sequence[str]) -> dict[str, Any]:
    """Return the chart of queries a second against a metric, a point for each width."""
    points = [_point(row, x=row.quality[metric], y=row.batch_rate, order=row.n_bits) for row in rows]
    top = _top([point["x"] for point in points])
    x = alt.X("x:Q", title=metric, scale=alt.Scale(domain=[0, top]), axis=_share_ticks(top))
    return _lines(points, x, _log_axis(points, "queries a second"), hashers)


def latency_against_bits(rows: Sequence[Row], *, hashers: Sequence[str]) -> dict[str, Any]:
    """Return the chart of the milliseconds that a query handed over alone takes against code width."""
    points = [_point(row, x=row.n_bits, y=row.single_ms) for row in rows]
    return _lines(points, _size_axis(points, "bits"), _log_axis(points, "milliseconds a query"), hashers)


def _lines(
    points: list[dict[str, Any]], x: alt.X, y: alt.Y, hashers: Sequence[str], *, marked: bool = True
) -> dict[str, Any]:
    """Return lines in hasher colours, with marked points if wanted; legend clicks set the parameter 'hidden'."""
    hidden = alt.param(name="hidden", value=[])
    visible = alt.condition("indexof(hidden, datum.hasher) < 0", alt.value(1), alt.value(0.07))
    color = alt.Color("hasher:N", scale=alt.Scale(domain=list(hashers), range=_cycled(COLORS, hashers)), legend=None)
    shape = alt.Shape("hasher:N", scale=alt.Scale(domain=list(hashers), range=_cycled(SHAPES, hashers)), legend=None)
    tooltip = [
        alt.Tooltip("hasher:N"),
        alt.Tooltip("bits:Q"),
        alt.Tooltip("x:Q", title=x["title"], format=",.4~g"),
        alt.Tooltip("y:Q", title=y["title"], format=",.4~g"),
    ]
    base = alt.Chart(alt.InlineData(values=points)).encode(x=x, y=y, color=color, opacity=visible)
    chart: Any = base.mark_line(strokeWidth=2, interpolate="monotone" if not marked else "linear").encode(
        order=alt.Order("order:Q")
    )
    dots = base.mark_point(size=52 if marked else 16, filled=True, opacity=1 if marked else 0)
    chart = chart + dots.encode(shape=shape, tooltip=tooltip)
    sized = chart.add_params(hidden).properties(width="container", height=_HEIGHT)
    specification: dict[str, Any] = _styled(sized).to_dict(validate=False)
    specification.pop("$schema")  # an address that nothing should ever be tempted to fetch
    return specification


def _styled(chart: Any) -> Any:
    axis = {
        "labelColor": _FAINT,
        "titleColor": _INK,
        "titleFontWeight": 500,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titlePadding": 10,
        "gridColor": _GRID,
        "domainColor": "#9aa5b1",
        "tickColor": "#9aa5b1",
        "labelOverlap": "greedy",
    }
    return (
        chart.configure(font=_FONT, background="white", autosize=alt.AutoSizeParams(type="fit", contains="padding"))
        .configure_view(stroke=None)
        .configure_axis(**axis)
    )


def _point(row: Row, *, x: float, y: float, order: float | None = None) -> dict[str, Any]:
    return {"hasher": row.hasher, "bits": row.n_bits, "x": x, "y": y, "order": x if order is None else order}


def _size_axis(points: Sequence[dict[str, Any]], unit: str) -> alt.X:
    sizes = sorted({point["x"] for point in points})
    # A little air beside the first and last size, so that no mark sits on the frame.
    scale = alt.Scale(type="log", base=2, domain=[sizes[0] / 1.15, sizes[-1] * 1.15], nice=False)
    return alt.X("x:Q", title=f"{unit} a code", scale=scale, axis=alt.Axis(values=_thinned(sizes), format="d"))


def _log_axis(points: Sequence[dict[str, Any]], title: str) -> alt.Y:
    """Return a logarithmic axis that begins and ends at 1-2-5 steps."""
    values = [point["y"] for point in points]
    domain = [_step_down(min(values)), _step_up(max(values))]
    if domain[0] == domain[1]:
        domain[1] *= 10
    axis = alt.Axis(values=_steps(*domain), format="~s" if domain[0] >= 1 else "~g")
    return alt.Y("y:Q", title=title, scale=alt.Scale(type="log", domain=domain, nice=False), axis=axis)


def _unit_axis(values: Iterable[float], title: str) -> alt.Y:
    top = _top(values)
    return alt.Y("y:Q", title=title, scale=alt.Scale(domain=[0, top]), axis=_share_ticks(top))


def _share_ticks(top: float) -> alt.Axis:
    """Return ticks from 0 to ``top`` that are all different when printed."""
    step = 0.05 if top <= 0.3 else 0.1 if top <= 0.7 else 0.2
    ticks = [round(number * step, 2) for number in range(round(top / step) + 1)]
    return alt.Axis(values=ticks, format=".2f" if step < 0.1 else ".1f")


def _top(values: Iterable[float]) -> float:
    """Return the end of an axis for shares: the largest value, rounded up to a tenth."""
    return min(1.0, max(0.1, math.ceil(max(values) * 10 + 1e-9) / 10))


def _thinned(sizes: Sequence[float]) -> list[float]:
    """Return at most ten of ``sizes``, the first and last among them."""
    step = math.ceil(len(sizes) / 10)
    return sorted({*sizes[::step], sizes[-1]})


def _steps(low: float, high: float) -> list[float]:
    """Return the 1-2-5 steps from ``low`` to ``high``, or decades where those would crowd."""
    digits = (1, 2, 5) if high / low <= 1e3 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [digit * 10.0**decade for decade in decades for digit in digits if low <= digit * 10.0**decade <= high]


def _step_down(value: float) -> float:
    return max(step for step in _ladder(value) if step <= value)


def _step_up(value: float) -> float:
    return min(step for step in _ladder(value) if step >= value)


def _ladder(value: float) -> list[float]:
    decade = math.floor(math.log10(value))
    return [digit * 10.0**power for power in (decade, decade + 1) for digit in (1, 2, 5)]


def _cycled(choices: Sequence[str], hashers: Sequence[str]) -> list[str]:
    return [choices[number % len(choices)] for number in range(len(hashers))]
