"""The variants of a training plan as a table: what was kept of each, and what the test protocol measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hammingway.bench.training import VariantResult

__all__ = ["markdown_table", "print_table", "summary"]

_SHOWN = ("r10@10", "r10@100", "mAP@all")
_TITLES = {"n_bits": "bits", "fit_processor_seconds": "fit processor s"}


def summary(result: VariantResult) -> dict[str, Any]:
    """Return the facts of a variant as plain values: name, status, bits, seed, epoch kept, validation, quality."""
    facts: dict[str, Any] = {"name": result.name, "status": result.status}
    record, training = result.record, result.training
    if record is None or record.costs is None:
        return {**facts, "reason": result.reason}
    validation = {f"validation {name}": value for name, value in training.get("validation", {}).items()}
    return {
        **facts,
        "n_bits": record.spec.n_bits,
        "seed": record.spec.seed,
        **({"epoch": training["epoch"], "loss": training["loss"]} if training else {}),
        **validation,
        **record.quality,
        "fit_seconds": record.costs.fit_seconds,
        "fit_processor_seconds": record.costs.fit_processor_seconds,
        "hasher": result.hasher,
    }


def markdown_table(results: Sequence[VariantResult]) -> str:
    """Return the table as Markdown, a row a variant."""
    titles, rows = _cells(results)
    lines = [titles, ["---"] + ["---:"] * (len(titles) - 1), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def print_table(results: Sequence[VariantResult], *, title: str) -> None:
    """Print the table to the terminal; it is never cut to the terminal's width."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    titles, rows = _cells(results)
    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False)
    for number, name in enumerate(titles):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    width = console.measure(table, options=console.options.update(max_width=1000)).maximum
    Console(width=max(width, console.width)).print(table)


def _cells(results: Sequence[VariantResult]) -> tuple[list[str], list[list[str]]]:
    summaries = [summary(result) for result in results]
    keys = ["n_bits", "seed", "epoch", "loss"]
    keys += sorted({key for one in summaries for key in one if key.startswith("validation ")})
    keys += [key for key in _SHOWN if any(key in one for one in summaries)] + ["fit_processor_seconds"]
    keys = [key for key in keys if any(key in one for one in summaries)]
    titles = ["variant", *(_TITLES.get(key, key) for key in keys)]
    return titles, [[one["name"], *(_cell(one.get(key)) for key in keys)] for one in summaries]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}" if abs(value) >= 10 else f"{value:.4f}"
