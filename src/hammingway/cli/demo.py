"""``hammingway demo``: the whole job on embedded data, in under a minute."""

from __future__ import annotations

from pathlib import Path

import click

from hammingway.cli.progress_bar import progress_bar

__all__ = ["command"]


@click.command(short_help="Measure every classic hasher on handwritten digits.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    help="Folder for records and report.",
)
def command(out: Path) -> None:
    """Fit, encode, search and measure every classic hasher on handwritten digits.

    The data are 1,797 images of 8 x 8 pixels that come with scikit-learn; nothing is downloaded. Prints a
    table and writes report.html.
    """
    from hammingway.bench.session import DEMO_PLAN, measure
    from hammingway.cli.evaluate import print_table, write_outputs

    click.echo("Fitting eight hashers at four widths on handwritten digits, and searching their codes.\n")
    records = measure(DEMO_PLAN, bar=progress_bar, out=out)
    print_table(records, title=DEMO_PLAN.title, as_markdown=False)
    click.echo()
    click.echo(write_outputs(records, out, plan=DEMO_PLAN, command="hammingway demo"))
    click.echo("Next, your own vectors: hammingway evaluate vectors.npy --hasher itq,lsh --bits 64,128 --out results")
    click.echo("More: hammingway list, hammingway --help.")
