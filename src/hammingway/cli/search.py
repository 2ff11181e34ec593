"""``hammingway search``: nearest codes, or all codes within a radius."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from hammingway.cli import options
from hammingway.cli.options import InputFile, OutputFile
from hammingway.cli.printing import counted, report
from hammingway.cli.progress_bar import progress_bar

__all__ = ["command"]

JSON_LINES = ".jsonl"
OUT = "Where to write the results: .jsonl as --json prints them, .npy or .ivecs the ids, .ibin ids and distances."

IDS = "The id of each row of --originals, a .npy file of integers; else those in DATABASE, or 0, 1, ... for an index."


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
@options.query_bits_option
@click.option(
    "--prefix-bits",
    metavar="N",
    type=options.COUNT,
    help="Score the first N bits of each code alone, with --asymmetric; all if not given.",
)
@click.option(
    "--n-probe", metavar="N", type=options.COUNT, help="Cells a query scans in an ivf index; else its own number."
)
@click.option(
    "--max-probes", metavar="N", type=options.COUNT, help="Buckets a query looks up in a table; else its own number."
)
@click.option(
    "--max-candidates", metavar="N", type=options.COUNT, help="Codes a query is compared with in a table, likewise."
)
@click.option(
    "--rerank",
    "depth",
    metavar="N",
    type=options.COUNT,
    help="Put the first N a query in order by the vectors in --originals.",
)
@click.option("--originals", type=InputFile(), help="The vectors that were encoded as DATABASE, for --rerank.")
@click.option("--originals-key", metavar="NAME", help="As --key, for --originals.")
@click.option("--ids", type=InputFile(), help=IDS)
@options.rerank_options
@click.option("--out", type=OutputFile(JSON_LINES, ".npy", ".ivecs", ".ibin"), help=OUT)
@options.key_option
@options.threads_option
@options.force_option
@options.json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    database: Path,
    queries: Path,
    model: Path | None,
    k: int | None,
    radius: int | None,
    asymmetric: bool,
    query_bits: str,
    prefix_bits: int | None,
    n_probe: int | None,
    max_probes: int | None,
    max_candidates: int | None,
    out: Path | None,
    key: str | None,
    n_threads: int | None,
    as_json: bool,
    **reranked: Any,
) -> None:
    """Find the nearest codes of each query by Hamming distance.

    DATABASE holds codes or a saved index of any kind, QUERIES codes, or vectors if --model is given. The
    search is exact, unless the index is an approximate one (table, ivf), and equal distances come in the
    order of ids. Queries of another hasher than the database's are refused. A table is probed in order of
    the queries' confidence where --model gives it, else by flipped bits.

    A query gives a line: its number, then id:distance. With --json a line is
    {"query": 0, "ids": [...], "distances": [...]}, or "scores" with --asymmetric. --rerank gives distances by
    --metric instead.
    """
    from hammingway.cli import result_output, searching
    from hammingway.cli.reranking import RerankOptions

    options.refuse_idle(ctx, asymmetric="asymmetric", rerank="depth")
    wanted = searching.Wanted.from_options(k, radius, out)
    rerank = RerankOptions(**reranked)
    rerank.check(wanted, model)
    if asymmetric:
        searching.check_asymmetric(wanted, model, out, reranked=rerank.depth is not None)
    limits = {"n_probe": n_probe, "max_probes": max_probes, "max_candidates": max_candidates}
    opened = searching.open_database(database, limits=limits, n_threads=n_threads)
    if asymmetric and model is not None:
        items = searching.open_scores(queries, opened, model=model, key=key, prefix_bits=prefix_bits)
    else:
        items = searching.open_queries(queries, opened, model=model, key=key)
    reranking = rerank.opened(opened, items, key=key, n_threads=n_threads)
    # Lines that appear on a terminal are progress enough, and a bar would be drawn between them.
    with progress_bar("searching", hidden=out is None and sys.stdout.isatty()) as progress:
        parts = searching.search(
            opened, items, wanted, query_bits=int(query_bits), reranking=reranking, progress=progress
        )
        result_output.write(parts, out, k=wanted.k, as_json=as_json)
    if out is not None:
        facts = {"n": len(opened.index), "n_bits": opened.index.n_bits, "k": wanted.k, "radius": wanted.radius}
        sentence = f"{out}: results of {counted(len(items), 'query')}."
        report(sentence, as_json=as_json, n_queries=len(items), **facts, out=str(out))
