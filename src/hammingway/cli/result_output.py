"""Search results as text, JSON lines or an array of ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from hammingway.datasets import formats
from hammingway.storage import atomic_writer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hammingway.collection import NamedNeighbors, NamedRanges, NamedReranked, NamedScored
    from hammingway.indexes import Reranked
    from hammingway.results import Neighbors, Ranges, Scored

    Found = Neighbors | Ranges | Scored | Reranked | NamedNeighbors | NamedRanges | NamedScored | NamedReranked

__all__ = ["JSON_LINES", "write", "write_arrays"]

JSON_LINES = ".jsonl"


def write(parts: Iterable[Found], out: Path | None, *, k: int | None, as_json: bool) -> None:
    """Write results to ``out``, or to stdout as they come.

    Parameters
    ----------
    parts : results of consecutive queries.
    out : ``.jsonl`` gets a JSON line a query, another ending the ids as an array (n_queries, k).
    k : results a query, the width of that array even where there is no query; None for a radius.
    as_json : print JSON lines rather than text.
    """
    if out is None:
        for lines in _lines(parts, as_json=as_json):
            click.echo(lines, nl=False)
    elif out.suffix.lower() == JSON_LINES:
        with atomic_writer(out) as file:
            for lines in _lines(parts, as_json=True):
                file.write(lines.encode())
    else:
        kept = list(parts)
        shape = (0, k or 0)
        ids = np.concatenate([np.empty(shape, np.int64), *(part.ids for part in kept)])
        distances = np.concatenate([np.empty(shape, np.int32), *map(_ranked_by, kept)])
        write_arrays(ids, distances, out)


def write_arrays(
    ids: NDArray[np.int64], distances: NDArray[Any], out: Path, *, distances_out: Path | None = None
) -> None:
    """Write neighbours as arrays.

    Parameters
    ----------
    ids : (n_queries, k).
    distances : (n_queries, k), in whatever unit.
    out : gets the ids; ``.ibin`` the distances too, as big-ann files of true neighbours have them.
    distances_out : gets the distances, if given.
    """
    if out.suffix.lower() == ".ibin":
        formats.write_neighbors(out, ids, distances)
    else:
        formats.write_vectors(out, ids)
    if distances_out is not None:
        formats.write_vectors(distances_out, distances)


def _lines(parts: Iterable[Found], *, as_json: bool) -> Iterator[str]:
    """Yield the lines of a part of the queries at a time."""
    line = _json_line if as_json else _text_line
    query = 0
    for part in parts:
        name = "scores" if hasattr(part, "scores") else "distances"
        yield "".join(line(query + i, *found, name) for i, found in enumerate(map(_places_taken, part)))
        query += len(part)


def _ranked_by(part: Found) -> NDArray[Any]:
    values: NDArray[Any] = part.scores if hasattr(part, "scores") else part.distances
    return values


def _places_taken(found: tuple[NDArray[Any], NDArray[Any]]) -> tuple[list[Any], list[Any]]:
    """Return ids and distances as lists, without the -1 or None that fills up where fewer than k codes exist."""
    ids, distances = found
    taken = ids.astype(np.bool_) if ids.dtype == object else ids >= 0  # no id is empty, and None is false
    return ids[taken].tolist(), distances[taken].tolist()


def _json_line(query: int, ids: list[Any], distances: list[Any], name: str) -> str:
    return json.dumps({"query": query, "ids": ids, name: distances}) + "\n"


def _text_line(query: int, ids: list[Any], distances: list[Any], _name: str) -> str:
    # A string id may hold blanks and colons: quoted as in JSON it can be read again.
    pairs = (f"{json.dumps(i)}:{distance}" for i, distance in zip(ids, distances, strict=True))
    return " ".join((str(query), *pairs)) + "\n"
