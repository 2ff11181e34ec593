"""``hammingway truth``: exact nearest neighbours of real vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hammingway.cli import options
from hammingway.cli.options import InputFile, OutputFile
from hammingway.cli.printing import counted, report
from hammingway.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from hammingway.bench.truth import MetricName

__all__ = ["command"]

METRICS = ("euclidean", "cosine", "inner-product")
OUT = "Where to write the ids, n_queries x k: .npy, .ivecs, or .ibin, which holds the distances too."


@click.command()
@click.argument("data", type=InputFile())
@click.argument("queries", type=InputFile())
@click.option("-k", metavar="N", type=options.COUNT, default=100, help="Neighbours a query, at most the rows of DATA.")
@click.option("--metric", type=click.Choice(METRICS), default="euclidean", help="What neighbours are nearest by.")
@click.option("--out", type=OutputFile(".npy", ".ivecs", ".ibin"), required=True, help=OUT)
@click.option("--distances", type=OutputFile(".npy", ".fvecs", ".fbin"), help="Where to write the distances.")
@options.key_option
@click.option("--queries-key", metavar="NAME", help="As --key, for QUERIES.")
@options.force_option
@options.json_option
def command(
    data: Path,
    queries: Path,
    k: int,
    metric: MetricName,
    out: Path,
    distances: Path | None,
    key: str | None,
    queries_key: str | None,
    as_json: bool,
) -> None:
    """Find the exact nearest neighbours of real vectors.

    DATA is what is searched, QUERIES holds a vector a query; both in any format that 'hammingway list
    formats' names. Ids are rows of DATA, nearest first, equal distances in the order of ids. This is the truth that
    codes are measured against.
    """
    from hammingway.bench.truth import exact_neighbors
    from hammingway.cli.reading import open_vectors
    from hammingway.cli.result_output import write_arrays

    X, Q = open_vectors(data, key=key), open_vectors(queries, key=queries_key)
    with progress_bar("searching") as progress:
        ids, found = exact_neighbors(Q, X, k, metric=metric, progress=progress)
    write_arrays(ids, found, out, distances_out=distances)
    sentence = f"{out}: {counted(k, 'neighbour')} of {counted(len(Q), 'query')} among {counted(len(X), 'vector')}."
    report(sentence, as_json=as_json, n_queries=len(Q), n=len(X), k=k, metric=metric, out=str(out))
