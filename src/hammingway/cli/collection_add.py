"""``hammingway collection add``: codes or vectors with ids and metadata, in durable batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hammingway.cli import collection_inputs as inputs
from hammingway.cli import options
from hammingway.cli.options import InputFile
from hammingway.cli.printing import counted, report
from hammingway.cli.progress_bar import progress_bar
from hammingway.errors import InvalidInputError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hammingway.code_files import StoredCodes
    from hammingway.collection import Collection

__all__ = ["command"]

REPLACE = (
    "Replace items whose ids are there already, instead of refusing. They are replaced whole: "
    "without --metadata they have none afterwards."
)
BATCH = "Rows that are added, encoded and made durable together."


@click.command()
@click.argument("path", type=inputs.COLLECTION)
@click.argument("data", type=InputFile())
@inputs.ids_file_option("Ids of the rows, where they are not to be numbered on")
@click.option("--metadata", "metadata_file", type=InputFile(), help="JSON lines, an object or null a row.")
@click.option("--vectors", type=InputFile(), help="Originals to keep, where DATA are codes.")
@click.option("--replace", is_flag=True, help=REPLACE)
@click.option("--batch", metavar="N", type=options.COUNT, default=65536, help=BATCH)
@options.key_option
@options.json_option
def command(
    path: Path,
    data: Path,
    ids_file: Path | None,
    metadata_file: Path | None,
    vectors: Path | None,
    replace: bool,
    batch: int,
    key: str | None,
    as_json: bool,
) -> None:
    """Add the codes or vectors in DATA to the collection at PATH.

    Vectors are encoded by the stored encoder. Codes bring their ids along unless --ids says otherwise. Every
    batch is durable once it is added; a failure or Ctrl-C leaves the batches before it.
    """
    from hammingway.cli.reading import open_vectors
    from hammingway.progress import row_chunks

    items = inputs.read_items(data, key=key)
    metadata = None if metadata_file is None else inputs.read_metadata(metadata_file)
    originals = None if vectors is None else open_vectors(vectors, key=key)
    with inputs.opened(path, read_only=False) as collection:
        ids = None if ids_file is None else inputs.read_ids(ids_file, collection.id_type)
        before = collection.stats()
        n = _n_rows(items, {"--ids": ids, "--metadata": metadata, "--vectors": originals})
        with progress_bar("adding") as progress:
            for rows in row_chunks(n, batch, progress):
                _put(collection, inputs.rows_of(items, rows), ids, metadata, originals, rows=rows, replace=replace)
        after = collection.stats()
    n_added = after.n_items - before.n_items
    replaced = f" and replaced {n - n_added}" if replace else ""
    sentence = f"{path}: added {counted(n_added, 'item')}{replaced}; it holds {after.n_items}."
    counts = {"n_added": n_added, "n_replaced": n - n_added, "n_items": after.n_items}
    report(sentence, as_json=as_json, path=str(path), **counts)
    if metadata is None:
        _note_emptied(before.n_described - after.n_described)


def _note_emptied(n: int) -> None:
    """Tell how many replaced items lost their metadata because none was given."""
    if n:
        verb = "has" if n == 1 else "have"
        had = f"{counted(n, 'replaced item')} had metadata and {verb} none now"
        click.echo(f"Note: {had}: items are replaced whole, and --metadata was not given.", err=True)


def _n_rows(items: StoredCodes | NDArray[Any], beside: dict[str, Any]) -> int:
    n = inputs.n_rows(items)
    for option, rows in beside.items():
        if rows is not None and len(rows) != n:
            raise ShapeError(
                f"{option} has {counted(len(rows), 'row')} for {counted(n, 'row')} of DATA; give one a row."
            )
    return n


def _put(
    collection: Collection,
    items: StoredCodes | NDArray[Any],
    ids: list[Any] | None,
    metadata: list[Any] | None,
    originals: NDArray[Any] | None,
    *,
    rows: slice,
    replace: bool,
) -> None:
    fields = None if metadata is None else metadata[rows]
    vectors = None if originals is None else originals[rows]
    chosen = getattr(items, "ids", None) if ids is None else ids[rows]
    if not replace:
        collection.add(items, ids=chosen, metadata=fields, vectors=vectors)
    elif chosen is None:
        raise InvalidInputError("--replace needs to know which items: give --ids.")
    else:
        collection.upsert(items, ids=chosen, metadata=fields, vectors=vectors)
