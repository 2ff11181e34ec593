"""``hammingway collection search``: nearest items, filtered, scored or re-ranked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hammingway.cli import collection_inputs as inputs
from hammingway.cli import options
from hammingway.cli.options import InputFile, OutputFile
from hammingway.cli.printing import counted, report
from hammingway.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hammingway.cli.result_output import Found
    from hammingway.cli.searching import Wanted
    from hammingway.code_files import StoredCodes
    from hammingway.collection import Collection
    from hammingway.progress import Progress

__all__ = ["command"]

OUT = "Where to write the results: .jsonl as --json prints them, .npy the ids where they are integers."
WHERE = 'Search only items whose metadata match, a JSON object as in {"year": {"$gte": 2010}}.'


@click.command()
@click.argument("path", type=inputs.COLLECTION)
@click.argument("queries", type=InputFile())
@click.option("-k", metavar="N", type=options.COUNT, show_default="10", help="Items a query; not with --radius.")
@click.option(
    "--radius", metavar="BITS", type=click.IntRange(min=0), help="Find all items up to this many bits away, instead."
)
@click.option("--where", "where_text", metavar="JSON", help=WHERE)
@click.option("--asymmetric", is_flag=True, help="Rank by the encoder's scores of the queries, not by their bits.")
@options.query_bits_option
@click.option(
    "--rerank", metavar="N", type=options.COUNT, help="Put the first N a query in order by the stored originals."
)
@options.rerank_options
@click.option("--out", type=OutputFile(".jsonl", ".npy"), help=OUT)
@options.key_option
@options.threads_option
@options.force_option
@options.json_option
@click.pass_context
def command(
    ctx: click.Context,
    path: Path,
    queries: Path,
    k: int | None,
    radius: int | None,
    where_text: str | None,
    asymmetric: bool,
    query_bits: str,
    rerank: int | None,
    metric: str,
    vectors: Path | None,
    out: Path | None,
    key: str | None,
    n_threads: int | None,
    as_json: bool,
) -> None:
    """Find the items nearest to each query in the collection at PATH.

    QUERIES holds codes, or vectors for the stored encoder. The search is exact; equal distances come in the
    order of ids, strings in the order in which they were first added.

    A query gives a line: its number, then id:distance, strings quoted as in JSON. With --json a line is
    {"query": 0, "ids": [...], "distances": [...]}, or "scores" with --asymmetric.
    """
    from hammingway.cli import result_output, searching
    from hammingway.cli.printing import notes_of
    from hammingway.cli.reading import open_vectors
    from hammingway.collection import UnknownFieldWarning

    wanted = searching.Wanted.from_options(k, radius, out)
    ranking: dict[str, Any] = {"query_bits": int(query_bits)} if asymmetric else {}
    if rerank is not None:
        ranking |= {"rerank": rerank, "metric": metric}
    if radius is not None and (ranking or vectors is not None):
        raise click.UsageError("--radius counts bits; leave out --asymmetric, --rerank and --vectors.")
    options.refuse_idle(ctx, asymmetric="asymmetric", rerank="rerank")
    where = inputs.parse_where(where_text)
    items = inputs.read_items(queries, key=key)
    rows = None if vectors is None else open_vectors(vectors, key=key)
    with inputs.opened(path, read_only=True, n_threads=n_threads) as collection:
        if out is not None and out.suffix.lower() == ".npy" and collection.id_type == "string":
            raise click.UsageError("String ids make no array; give --out a name in .jsonl.")
        with progress_bar("searching", hidden=out is None and sys.stdout.isatty()) as progress:
            parts = _search(collection, items, wanted, where, rows, ranking, progress=progress)
            with notes_of(UnknownFieldWarning):
                result_output.write(parts, out, k=wanted.k, as_json=as_json)
        facts = {"n": len(collection), "n_bits": collection.n_bits, "k": wanted.k, "radius": radius}
    if out is not None:
        n_queries = inputs.n_rows(items)
        report(
            f"{out}: results of {counted(n_queries, 'query')}.",
            as_json=as_json,
            n_queries=n_queries,
            **facts,
            out=str(out),
        )


def _search(
    collection: Collection,
    queries: StoredCodes | NDArray[Any],
    wanted: Wanted,
    where: Mapping[str, Any] | None,
    vectors: NDArray[Any] | None,
    ranking: dict[str, Any],
    *,
    progress: Progress,
) -> Iterator[Found]:
    """Yield the results of the queries a part at a time, in order."""
    from hammingway.cli.searching import queries_a_part
    from hammingway.progress import row_chunks

    n_a_part = queries_a_part(len(collection), collection.n_bits, wanted)
    for rows in row_chunks(inputs.n_rows(queries), n_a_part, progress):
        part = inputs.rows_of(queries, rows)
        if wanted.radius is not None:
            yield collection.search_radius(part, wanted.radius, where=where)
        elif wanted.k is not None:
            beside = ranking if vectors is None else ranking | {"vectors": vectors[rows]}
            yield collection.search(part, wanted.k, where=where, **beside)
