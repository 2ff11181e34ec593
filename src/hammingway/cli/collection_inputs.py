"""What commands on collections take: the directory, ids, metadata, codes or vectors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hammingway.cli.options import InputFile
from hammingway.cli.progress_bar import progress_bar
from hammingway.errors import InvalidInputError, RefusedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hammingway.code_files import StoredCodes
    from hammingway.collection import Collection

__all__ = [
    "COLLECTION",
    "SHELL_REMEDIES",
    "chosen_ids",
    "ids_file_option",
    "in_shell_words",
    "n_rows",
    "opened",
    "parse_where",
    "read_ids",
    "read_items",
    "read_metadata",
    "rows_of",
]

F = TypeVar("F", bound=Callable[..., Any])
_MAX_DIGITS = 19  # of 2**63; Python itself refuses to read thousands
SHELL_REMEDIES = {  # by the names of hammingway.collection.remedies.Remedy, which would import NumPy
    "CHOOSE_PATH": "choose another path",
    "REPLACE": "--replace replaces items",
    "GIVE_IDS": "give --ids FILE, an id a row",
    "GIVE_CODES": "give a file of codes, as 'hammingway encode' writes",
    "GIVE_ORIGINALS": "give them by --vectors FILE",
    "KEEP_ORIGINALS": "create one with --originals float32",
    "GIVE_QUERY_VECTORS": "give QUERIES as vectors, or the vectors by --vectors FILE",
    "USE_ENCODER": "give QUERIES as vectors, to a collection that was created with --model or --hasher",
}
COLLECTION = click.Path(exists=True, file_okay=False, path_type=Path)


def ids_file_option(text: str) -> Callable[[F], F]:
    """Return the option ``--ids`` as ``ids_file``."""
    return click.option("--ids", "ids_file", type=InputFile(), help=f"{text}: a line each, or an array in .npy.")


@contextmanager
def opened(path: Path, *, read_only: bool, n_threads: int | None = None) -> Iterator[Collection]:
    """Open the collection at ``path`` for the time of a block."""
    from hammingway.collection import Collection

    with in_shell_words():
        with progress_bar(f"opening {path.name}"):
            collection = Collection.open(path, read_only=read_only, n_threads=n_threads)
        with collection:
            yield collection


@contextmanager
def in_shell_words() -> Iterator[None]:
    """Where a collection refuses, tell the remedy as something to type."""
    try:
        yield
    except RefusedError as error:
        from hammingway.collection.remedies import Remedy

        raise InvalidInputError(f"{error.fault}; {SHELL_REMEDIES[Remedy(error.remedy).name]}.") from error


def read_ids(path: Path, id_type: str) -> list[Any]:
    """Return the ids in a file: an array of integers or strings in .npy, or text with one a line.

    Raises
    ------
    InvalidInputError : not ids of ``id_type``.
    """
    if path.suffix.lower() != ".npy":
        return _typed_ids(_text_lines(path), id_type)
    import numpy as np

    try:
        listed = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InvalidInputError(f"{path} is no array in .npy format: {error}; give ids a line each as text.") from error
    if listed.ndim != 1 or listed.dtype.kind not in ("U" if id_type == "string" else "iu"):
        raise InvalidInputError(f"{path} should hold {id_type} ids, (n,); got {listed.dtype} {listed.shape}.")
    ids: list[Any] = listed.tolist()
    return ids


def chosen_ids(typed: tuple[str, ...], path: Path | None, id_type: str) -> list[Any]:
    """Return the ids that were typed and those in a file.

    Raises
    ------
    click.UsageError : there are none.
    """
    if not typed and path is None:
        raise click.UsageError("No ids were given; name some, or a file of them by --ids.")
    return _typed_ids(list(typed), id_type) + ([] if path is None else read_ids(path, id_type))


def _typed_ids(listed: list[Any], id_type: str) -> list[Any]:
    """Return ids as typed, strings, as those of a collection.

    Raises
    ------
    InvalidInputError : one is not a whole number, where ids are integers.
    """
    if id_type == "string":
        return listed
    for each in listed:
        digits = each.strip().lstrip("0") or "0"
        if not digits.isascii() or not digits.isdigit() or len(digits) > _MAX_DIGITS or int(digits) >= 1 << 63:
            raise InvalidInputError(f"ids of this collection are whole numbers from 0, below 2**63; got {each[:80]!r}.")
    return [int(each) for each in listed]


def read_metadata(path: Path) -> list[dict[str, Any] | None]:
    """Return the metadata in a file of JSON lines, an object or null each.

    Raises
    ------
    InvalidInputError : a line is neither.
    """
    found: list[dict[str, Any] | None] = []
    for number, line in enumerate(_text_lines(path), start=1):
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidInputError(f"{path}, line {number}: no JSON ({error}); give an object a line.") from error
        if fields is not None and not isinstance(fields, dict):
            raise InvalidInputError(f"{path}, line {number}: expected a JSON object or null; got {line[:80]!r}.")
        found.append(fields)
    return found


def read_items(path: Path, *, key: str | None) -> StoredCodes | NDArray[Any]:
    """Return the codes or, mapped where the format allows, the vectors in a file."""
    from hammingway.cli.reading import open_vectors
    from hammingway.code_files import KIND, read_codes
    from hammingway.storage import read_kind

    return read_codes(path) if read_kind(path) == KIND else open_vectors(path, key=key)


def n_rows(items: StoredCodes | NDArray[Any]) -> int:
    """Return how many codes or vectors there are."""
    from hammingway.code_files import StoredCodes

    return len(items.codes) if isinstance(items, StoredCodes) else len(items)


def rows_of(items: StoredCodes | NDArray[Any], rows: slice) -> StoredCodes | NDArray[Any]:
    """Return some rows of codes, which keep their encoder and ids, or of vectors."""
    from hammingway.code_files import StoredCodes

    if isinstance(items, StoredCodes):
        return StoredCodes(items.codes[rows], items.encoder, None if items.ids is None else items.ids[rows])
    return items[rows]


def parse_where(text: str | None) -> Mapping[str, Any] | None:
    """Return the filter that is typed as JSON.

    Raises
    ------
    click.BadParameter : it is no JSON object.
    """
    if text is None:
        return None
    remedy = """write it as '{"year": {"$gte": 2010}}'."""
    try:
        where = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{text!r} is no JSON ({error}); {remedy}", param_hint="'--where'") from error
    if not isinstance(where, dict):
        raise click.BadParameter(f"{text!r} is no JSON object; {remedy}", param_hint="'--where'")
    return where


def _text_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n") if path.stat().st_size else []
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path} is no UTF-8 text: {error}; save it as UTF-8.") from error
