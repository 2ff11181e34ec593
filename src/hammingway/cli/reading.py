"""Opening files of vectors with a bar for those that are read rather than mapped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hammingway.cli.progress_bar import progress_bar
from hammingway.datasets.formats import read_vectors

__all__ = ["open_vectors"]


def open_vectors(path: Path, *, key: str | None) -> NDArray[Any]:
    """Return the vectors at ``path``, (n, d), memory-mapped where the format allows."""
    with progress_bar(f"reading {path.name}") as progress:
        return read_vectors(path, key=key, progress=progress)
