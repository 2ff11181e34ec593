"""``hammingway evaluate``: fit, encode, search and measure hashers on a file or a data set."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hammingway.cli.options import BITS, COUNT, InputFile, RegisteredName, json_option, key_option, seed_option
from hammingway.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from hammingway.bench.spec import PlanSpec
    from hammingway.bench.store import Record

__all__ = ["command", "write_outputs"]

_WIDEST = 10_000
_PLAN_OPTIONS = (
    "hashers",
    "widths",
    "models",
    "labels",
    "n_queries",
    "seed",
    "k",
    "metric",
    "protocol",
    "key",
    "repeats",
    "rankings",
)


class CommaList(click.ParamType[tuple[Any, ...]]):
    """Values separated by commas, each of another parameter type."""

    def __init__(self, kind: click.ParamType[Any], name: str) -> None:
        self.kind, self.name = kind, name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Return the values, or fail naming the wrong one."""
        parts = value.split(",") if value and isinstance(value, str) else value
        return tuple(self.kind.convert(part.strip() if isinstance(part, str) else part, param, ctx) for part in parts)


@click.command()
@click.argument("data", required=False)
@click.option(
    "--hasher",
    "hashers",
    type=CommaList(RegisteredName("hashers"), "names"),
    default="lsh,itq",
    help="Names, with commas.",
)
@click.option(
    "--bits",
    "widths",
    type=CommaList(BITS, "widths"),
    default="64,128",
    help="Bits a code, with commas.",
)
@click.option(
    "--model",
    "models",
    type=InputFile(),
    multiple=True,
    help="A hasher that was saved, measured as it is: beside --hasher, or alone. Can be repeated.",
)
@click.option("--labels", metavar="FILE", help="One class number a row of DATA: adds mAP and precision.")
@click.option("--queries", "n_queries", metavar="N", type=COUNT, default=1000, help="Rows of a file held out.")
@seed_option
@click.option("-k", "--k", metavar="N", type=COUNT, default=100, help="Results a query.")
@click.option(
    "--metric",
    type=click.Choice(["euclidean", "cosine", "inner-product"]),
    default="euclidean",
    help="What the exact neighbours are nearest by.",
)
@click.option("--protocol", metavar="NAME", help="Split of a named data set; its default if not given.")
@key_option
@click.option(
    "--rankings",
    type=CommaList(click.STRING, "names"),
    default="",
    help="Rank the same codes otherwise too: asymmetric-8, asymmetric-4, rerank-100, asymmetric-8+rerank-100.",
)
@click.option("--repeats", metavar="N", type=COUNT, default=5, help="Times each search is timed; all are kept.")
@click.option(
    "--plan", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="TOML plan, instead of DATA."
)
@click.option(
    "--data-dir", type=click.Path(exists=True, path_type=Path), help="Folder of the data; or HAMMINGWAY_DATA."
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for records and report; resumes.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown, with every metric.")
@json_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Measure hashers on DATA: quality, rates, bytes.

    DATA is a file of vectors or the name of a data set. Queries are held out, their exact neighbours found,
    and each hasher fitted, encoded and searched at each width, and each --model the same but for the fit.
    With --out, every finished run is kept in records.jsonl (an interrupted plan goes on where it stopped) and
    a report.html is written.

    Example: hammingway evaluate vectors.npy --hasher itq,lsh --bits 64,128 --out results
    """
    from hammingway.bench.session import measure
    from hammingway.reports.table import model_notes, summary

    plan, folders = _plan(ctx, options)
    echo = (lambda record: click.echo(json.dumps(summary(record)))) if options["as_json"] else None
    records = measure(plan, bar=progress_bar, out=options["out"], on_record=echo, **folders)
    _require_a_measurement(records)
    if options["as_json"]:
        for sentence in model_notes(records):
            click.echo(sentence, err=True)
    else:
        print_table(records, title=plan.title or plan.data.dataset, as_markdown=options["markdown"])
    if options["out"] is not None:
        sentence = write_outputs(records, options["out"], plan=plan, command=_reproduce(ctx, options))
        click.echo(sentence, err=options["as_json"] or options["markdown"])


def _require_a_measurement(records: list[Record]) -> None:
    from hammingway.errors import InvalidInputError
    from hammingway.reports.table import refusals

    if not any(record.costs for record in records):
        raise InvalidInputError(f"No run was possible: {' '.join(refusals(records))}")


def print_table(records: list[Record], *, title: str, as_markdown: bool) -> None:
    """Print the table, what it shows, and what a reader must know of it."""
    from rich.console import Console

    from hammingway.reports.table import legend, markdown, notes, rich_table

    if as_markdown:
        click.echo(markdown(records), nl=False)
        return
    console, table = Console(), rich_table(records, title=title)
    # A narrow terminal wraps the lines; cutting them to its width would cut digits off the figures.
    width = console.measure(table, options=console.options.update(max_width=_WIDEST)).maximum
    Console(width=max(width, console.width)).print(table)
    best = ["Bold: the best of its width."] if console.color_system else []
    click.echo("\n" + "\n".join([*legend(records), *best]))
    for sentence in notes(records):
        click.echo(sentence)


def write_outputs(records: list[Record], out: Path, *, plan: PlanSpec, command: str) -> str:
    """Write report.html beside the records; return the sentence that says where they are, or what is missing."""
    from hammingway.bench.session import RECORDS_NAME
    from hammingway.errors import MissingExtraError
    from hammingway.reports.html import write_report

    kept = f"Records: {out / RECORDS_NAME}."
    title = plan.title or f"Hash codes of {plan.data.dataset}"
    try:
        path = write_report(records, out / "report.html", title=title, command=command)
    except MissingExtraError as error:
        return f"{kept} No report: {error}"
    return f"Report: {path} (one file, works offline). {kept}"


def _plan(ctx: click.Context, options: dict[str, Any]) -> tuple[PlanSpec, dict[str, Any]]:
    """Return the plan that was given or described, and the folders of its data and its models."""
    from hammingway.bench.session import locate
    from hammingway.bench.spec import DataSpec, PlanSpec, read_plan

    if options["as_json"] and options["markdown"]:
        raise click.UsageError("--json and --markdown exclude each other; give one of them.", ctx)
    if (options["plan"] is None) == (options["data"] is None):
        raise click.UsageError("give either DATA or --plan.", ctx)
    if options["plan"] is not None:
        _refuse_beside_plan(ctx)
        return read_plan(options["plan"]), {"data_dir": options["data_dir"], "model_dir": options["plan"].parent}
    dataset, labels, data_dir = locate(options["data"], options["labels"], options["data_dir"])
    data = DataSpec(
        dataset=dataset,
        labels=labels,
        split_seed=options["seed"],
        **{name: options[name] for name in ("protocol", "key", "n_queries", "metric")},
    )
    plan = PlanSpec(
        data=data,
        **_contestants(ctx, options),
        seeds=(options["seed"],),
        k=options["k"],
        repeats=options["repeats"],
        rankings=options["rankings"],
    )
    return plan, {"data_dir": data_dir}


def _contestants(ctx: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """Return what a plan has of the options --hasher, --bits and --model."""
    from hammingway.bench.spec import Component, ModelFile

    models = tuple(ModelFile(file=str(path)) for path in options["models"])
    if models and not _typed(ctx, "hashers"):
        if _typed(ctx, "widths"):
            raise click.UsageError("a --model has its own width; leave out --bits, or add --hasher.", ctx)
        return {"models": models}
    hashers = tuple(Component(name=name) for name in options["hashers"])
    return {"hashers": hashers, "n_bits": options["widths"], "models": models}


def _typed(ctx: click.Context, name: str | None) -> bool:
    return ctx.get_parameter_source(name or "") is click.core.ParameterSource.COMMANDLINE


def _refuse_beside_plan(ctx: click.Context) -> None:
    """Raise if an option was typed that the plan file decides."""
    for param in ctx.command.params:
        if param.name in _PLAN_OPTIONS and _typed(ctx, param.name):
            raise click.UsageError(f"{param.opts[0]} stands in the plan file; leave it out beside --plan.", ctx)


def _reproduce(ctx: click.Context, options: dict[str, Any]) -> str:
    """Return the command line that repeats these runs, folders left to the reader."""
    if options["plan"] is not None:
        plan = shlex.quote(options["plan"].name)
        return f"hammingway evaluate --plan {plan} --data-dir DATA --out OUT"
    words = ["hammingway", "evaluate", Path(options["data"]).name]
    for param in ctx.command.params:
        if param.name in _PLAN_OPTIONS and _typed(ctx, param.name):
            value = options[param.name]
            values = value if param.multiple else [",".join(map(str, value)) if isinstance(value, tuple) else value]
            words += [word for one in values for word in (param.opts[0], str(one))]
    return shlex.join(words)
