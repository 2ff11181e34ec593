"""Long work in chunks, and who is told how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hammingway.errors import InvalidInputError

__all__ = ["Progress", "row_chunks"]

Progress = Callable[[int, int], None]
"""Called as ``progress(rows_done, rows_in_all)`` after each chunk, from the caller's thread."""


def row_chunks(n_rows: int, chunk_rows: int, progress: Progress | None = None) -> Iterator[slice]:
    """Yield slices that cover ``n_rows`` in order, telling ``progress`` after each is done with.

    Raises
    ------
    InvalidInputError : ``chunk_rows`` is below 1.

    Examples
    --------
    >>> [chunk.indices(5)[:2] for chunk in row_chunks(5, 2)]
    [(0, 2), (2, 4), (4, 5)]
    """
    if chunk_rows < 1:
        raise InvalidInputError(f"chunk_rows must be at least 1; got {chunk_rows}.")
    for start in range(0, n_rows, chunk_rows):
        stop = min(start + chunk_rows, n_rows)
        yield slice(start, stop)
        if progress is not None:
            progress(stop, n_rows)
