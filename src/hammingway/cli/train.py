"""``hammingway train``: the variants of a plan, one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hammingway.cli.options import InputFile, json_option, tensorboard_option
from hammingway.cli.printing import counted
from hammingway.cli.progress_bar import noted_bar
from hammingway.cli.training_bar import EpochNotes
from hammingway.processes import process_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hammingway.bench.training import VariantResult
    from hammingway.progress import Progress

__all__ = ["command"]


@click.command()
@click.argument("plan", type=InputFile())
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of all variants.")
@click.option(
    "--data-dir", type=click.Path(exists=True, path_type=Path), help="Folder of the data; or HAMMINGWAY_DATA."
)
@tensorboard_option
@click.option(
    "--dry-run", is_flag=True, help="Print the variants, checked as far as that needs no data, and train none."
)
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@json_option
def command(
    plan: Path, out: Path, data_dir: Path | None, tensorboard: bool, dry_run: bool, markdown: bool, as_json: bool
) -> None:
    """Train and measure every variant of a PLAN.

    PLAN is a TOML file: data, a base configuration, and what variants, ablation tables and grids change in
    it. Each variant gets a folder below --out with its hasher, log, checkpoint and result. Repeat the
    command after an interruption: what is done is not done again, and what was begun goes on where it was.

    Example: hammingway train plan.toml --out runs
    """
    from hammingway.bench.training import check_plan, train_plan
    from hammingway.bench.variants import read_training_plan
    from hammingway.reports.variants import markdown_table, print_table, summary

    read = read_training_plan(plan)
    if dry_run:
        check_plan(read, out=out)
        _print_variants(read.runs(), as_json=as_json)
        return
    bars = _Bars()

    def tell(result: VariantResult) -> None:
        if as_json:
            click.echo(json.dumps(summary(result)))

    results = train_plan(
        read,
        out=out,
        bar=bars.bar,
        data_dir=data_dir,
        tensorboard=tensorboard,
        on_result=tell,
        on_entry=bars.entry,
    )
    if process_number() > 0:
        return
    _require_a_hasher(results)
    if markdown:
        click.echo(markdown_table(results), nl=False)
    elif not as_json:
        print_table(results, title=read.title or plan.stem)
    for result in results:
        if result.status != "trained":
            click.echo(_shortfall(result), err=as_json or markdown)


def _require_a_hasher(results: Sequence[VariantResult]) -> None:
    from hammingway.errors import InvalidInputError

    if not any(result.status == "trained" for result in results):
        raise InvalidInputError(f"No variant could be trained: {' '.join(map(_shortfall, results))}")


def _shortfall(result: VariantResult) -> str:
    """Return the sentence that says why there is no hasher."""
    return f"{result.name}: {result.status}, {result.reason}"


def _print_variants(runs: Any, *, as_json: bool) -> None:
    for run in runs:
        facts = {"name": run.name, "hasher": run.spec.hasher.name, "n_bits": run.spec.n_bits, "seed": run.spec.seed}
        facts["params"] = run.spec.hasher.params
        click.echo(
            json.dumps(facts) if as_json else f"{run.name}: {run.spec.hasher.label}, {counted(run.spec.n_bits, 'bit')}"
        )


class _Bars:
    """The bar of the work under way, with the last epoch below it."""

    def __init__(self) -> None:
        self._note: Callable[[str], None] = lambda text: None
        self._epochs = EpochNotes()

    @contextmanager
    def bar(self, label: str) -> Iterator[Progress]:
        self._epochs = EpochNotes()
        with noted_bar(label) as (progress, self._note):
            yield progress

    def entry(self, entry: Mapping[str, Any]) -> None:
        self._note(self._epochs.note(entry))
