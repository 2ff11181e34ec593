"""``hammingway search``: nearest codes, or all codes within a radius."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hammingway.cli import options
from hammingway.cli.options import InputFile, OutputFile
from hammingway.cli.printing import report
from hammingway.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hammingway.codes import Codes

__all__ = ["command"]

JSON_LINES = ".jsonl"
OUT = "Where to write the results: .jsonl as --json prints them, .npy or .ivecs the ids, .ibin ids and distances."


@click.command()
@click.argument("database", type=InputFile())
@click.argument("queries", type=InputFile())
@click.option("--model", type=InputFile(), help="The hasher that encodes QUERIES, where they are vectors.")
@click.option("-k", metavar="N", type=options.COUNT, show_default="10", help="Neighbours a query; not with --radius.")
@click.option(
    "--radius",
    metavar="BITS",
    type=click.IntRange(min=0),
    help="Find all codes up to this many bits away, instead of k.",
)
@click.option(
    "--asymmetric", is_flag=True, help="Rank by the scores that --model gives the queries, not by their bits."
)
@click.option(
    "--query-bits", type=click.Choice(["4", "8"]), default="8", help="Bits a score is rounded to, with --asymmetric."
)
@click.option("--out", type=OutputFile(JSON_LINES, ".npy", ".ivecs", ".ibin"), help=OUT)
@options.key_option
@options.threads_option
@options.force_option
@options.json_option
def command(
    database: Path,
    queries: Path,
    model: Path | None,
    k: int | None,
    radius: int | None,
    asymmetric: bool,
    query_bits: str,
    out: Path | None,
    key: str | None,
    n_threads: int | None,
    as_json: bool,
) -> None:
    """Find the nearest codes of each query by Hamming distance.

    DATABASE holds codes or a saved index of any kind, QUERIES codes, or vectors if --model is given. The
    search is exact, unless the index is an approximate one (table, ivf), and equal distances come in the
    order of ids. Queries of another hasher than the database's are refused.

    A query gives a line: its number, then id:distance. With --json a line is
    {"query": 0, "ids": [...], "distances": [...]}, or "scores" with --asymmetric.
    """
    from hammingway.cli import result_output, searching

    wanted = searching.Wanted.from_options(k, radius, out)
    if asymmetric:
        searching.check_asymmetric(wanted, model, out)
    index = searching.open_database(database, n_threads=n_threads)
    opened: Codes | NDArray[np.float32]
    if asymmetric and model is not None:
        opened = searching.open_scores(queries, index, model=model, key=key)
    else:
        opened = searching.open_queries(queries, index, model=model, key=key)
    # Lines that appear on a terminal are progress enough, and a bar would be drawn between them.
    with progress_bar("searching", hidden=out is None and sys.stdout.isatty()) as progress:
        parts = searching.search(index, opened, wanted, query_bits=int(query_bits), progress=progress)
        result_output.write(parts, out, k=wanted.k, as_json=as_json)
    if out is not None:
        facts = {
            "n_queries": len(opened),
            "n": len(index),
            "n_bits": index.n_bits,
            "k": wanted.k,
            "radius": wanted.radius,
        }
        report(f"{out}: results of {len(opened)} queries.", as_json=as_json, **facts, out=str(out))
