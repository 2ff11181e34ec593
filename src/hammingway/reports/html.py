"""One HTML file with the charts, the table and the way to reproduce them; it works offline."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hammingway.bench.store import Record
from hammingway.errors import InvalidInputError, MissingExtraError
from hammingway.reports.rows import Row, of_codes_alone, over_seeds, rows_from_records
from hammingway.reports.table import METRIC_WORDS, Column, columns, notes
from hammingway.storage import atomic_writer

__all__ = ["write_report"]

_TEMPLATE = "report.html.j2"
_EXPOSED = "window.vegaEmbed = vegaEmbed;"


def write_report(
    records: Iterable[Record],
    path: str | os.PathLike[str],
    *,
    title: str = "Hash codes, measured",
    command: str | None = None,
) -> Path:
    """Write the report on ``records`` to ``path`` in one atomic step and return the path.

    The file holds everything it shows: data, scripts and styles. A content security policy in it forbids
    the browser to load anything else.

    Parameters
    ----------
    records : of one or more data sets; each gets a section.
    title : heading of the page.
    command : how to get these records again; worked out from them if not given.

    Raises
    ------
    InvalidInputError : there is no measured record.
    MissingExtraError : the ``report`` extra is not installed.
    """
    records = list(records)
    hashers = list(dict.fromkeys(row.hasher for row in rows_from_records(records)))
    if not hashers:
        raise InvalidInputError("there is no measured run to report; run a plan with at least one possible run.")
    page = _template().render(
        title=title,
        sections=[_section(group, hashers, command) for group in _by_data(records)],
        legend=_legend(hashers),
        library=_library(),
    )
    with atomic_writer(path) as file:
        file.write(page.encode())
    return Path(path)


def _by_data(records: Iterable[Record]) -> list[list[Record]]:
    """Return the records that bear comparison: of one data set, metric and way of searching.

    Those of which nothing was measured are left out.
    """
    groups: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        spec = record.spec
        key = (record.data.digest, spec.data.metric, spec.k, spec.n_true, spec.index.label)
        groups.setdefault(key, []).append(record)
    return [group for group in groups.values() if any(record.costs for record in group)]


def _section(records: Sequence[Record], hashers: Sequence[str], command: str | None) -> dict[str, Any]:
    from hammingway.reports.panels import main_metric, panels

    rows = over_seeds(rows_from_records(records))
    first = records[0]
    return {
        "name": first.spec.data.dataset,
        "facts": first.data,
        "spec": first.spec,
        "metric": METRIC_WORDS[first.spec.data.metric],
        "tiles": _tiles(rows, main_metric(rows, first.spec.n_true), first.data.vector_bytes),
        "panels": panels(rows, hashers=hashers, n_true=first.spec.n_true),
        "table": _table(rows, hashers),
        "notes": notes(records),
        "environment": first.environment,
        "started": min(record.started_at for record in records),
        "fitted": any(not record.spec.model for record in records),
        "seeds": sorted({record.spec.seed for record in records if not record.spec.model}),
        "command": command or _command(records),
    }


def _tiles(rows: Sequence[Row], main: str, vector_bytes: int) -> list[tuple[str, str]]:
    """Return what a hurried reader should leave with, as (number, what it is)."""
    alone = of_codes_alone(rows)
    best = _best(alone, main)
    fewest = min(row.code_bytes for row in alone)
    small = _best([row for row in alone if row.code_bytes == fewest], main)
    reranked = [row for row in rows if row.reads_originals]
    of_what = "of codes alone" if reranked else "here"
    tiles = [
        (f"{best.quality[main]:.3f}", f"{main}, the best {of_what}: {best.hasher} at {_size(best)}"),
        (f"{small.quality[main]:.3f}", f"{main}, the best at {_size(small)}: {small.hasher}"),
    ]
    if reranked:
        top = _best(reranked, main)
        tiles.append((f"{top.quality[main]:.3f}", f"{main}, the best that reads originals, too: {top.hasher}"))
    labelled = [row for row in rows if "mAP@all" in row.quality]
    if labelled and main != "mAP@all":
        top = _best(labelled, "mAP@all")
        tiles.append((f"{top.quality['mAP@all']:.3f}", f"mAP@all, the best here: {top.hasher} at {top.n_bits} bits"))
    tiles.append((f"{best.compression:,.0f} : 1", f"{vector_bytes:,} bytes a vector against {_size(best)} a code"))
    return tiles


def _best(rows: Sequence[Row], metric: str) -> Row:
    return max(rows, key=lambda row: row.quality[metric])


def _size(row: Row) -> str:
    return "1 byte" if row.code_bytes == 1 else f"{row.code_bytes} bytes"


def _table(rows: Sequence[Row], hashers: Sequence[str]) -> dict[str, Any]:
    """Return headings and cells: printed text, the number to sort by, and for shares the width of a bar."""
    shown = [*columns(rows), *_health_columns(rows)]
    return {
        "titles": [column.title for column in shown],
        "rows": [
            {"series": hashers.index(row.hasher), "cells": [_cell(column, row) for column in shown]} for row in rows
        ],
    }


def _health_columns(rows: Sequence[Row]) -> list[Column]:
    return [_health_column(name) for name in dict.fromkeys(name for row in rows for name in row.health)]


def _health_column(name: str) -> Column:
    return Column(title=name, value=lambda row: row.health.get(name), style=".3f")


def _cell(column: Column, row: Row) -> dict[str, Any]:
    value = column.value(row)
    share = value if column.title in row.quality and isinstance(value, int | float) else None
    return {"text": column.text(row), "sort": value if value is not None else -1, "share": share}


def _legend(hashers: Sequence[str]) -> list[dict[str, str]]:
    from hammingway.reports.charts import COLORS, SHAPES

    return [
        {"name": name, "color": COLORS[number % len(COLORS)], "shape": SHAPES[number % len(SHAPES)]}
        for number, name in enumerate(hashers)
    ]


def _command(records: Sequence[Record]) -> str:
    """Return the command line that measures these records; parameters of hashers need the plan itself."""
    spec = records[0].spec
    fitted = [record.spec for record in records if not record.spec.model]
    names = dict.fromkeys(one.hasher.name for one in fitted)
    widths = dict.fromkeys(str(one.n_bits) for one in fitted)
    words = ["hammingway", "evaluate", spec.data.dataset]
    words += ["--hasher", ",".join(names), "--bits", ",".join(widths)] if fitted else []
    for record in records:
        words += ["--model", record.spec.model_file] if record.spec.model else []
    seed = fitted[0].seed if fitted else spec.data.split_seed
    words += ["--metric", spec.data.metric, "--k", str(spec.k), "--seed", str(seed)]
    if spec.rankings:
        words += ["--rankings", ",".join(spec.rankings)]
    if spec.data.labels is not None:
        words += ["--labels", spec.data.labels]
    return shlex.join(words)


@cache
def _library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script."""
    try:
        import vl_convert
    except ModuleNotFoundError as error:
        raise MissingExtraError("the HTML report", "report") from error
    # "</script" inside a script would end it early; in a JavaScript string "<\/" means the same.
    bundle: str = vl_convert.javascript_bundle(_EXPOSED)
    return bundle.replace("</script", "<\\/script")


def _template() -> Any:
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise MissingExtraError("the HTML report", "report") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["script_json"] = _script_json
    return environment.get_template(_TEMPLATE)


def _script_json(value: Any) -> Any:
    """Return ``value`` as JSON that may stand inside a script element."""
    from markupsafe import Markup

    return Markup(json.dumps(value, sort_keys=True).replace("<", "\\u003c"))  # noqa: S704 (escaped here)
