"""One process at a time in a folder of results: two would do the same work twice, and write over each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

from hammingway.errors import InvalidInputError

__all__ = ["sole_use"]


@contextmanager
def sole_use(path: Path, *, busy: str) -> Iterator[None]:
    """Keep every other process that asks for the same file waiting outside for a while.

    The file is made if need be, its folder too, and both are removed if they are still empty. The lock goes with the
    process, however it ends. On Windows nothing is locked.

    Parameters
    ----------
    path : of the file.
    busy : what to say if another process holds it.

    Raises
    ------
    InvalidInputError : another process holds the file.
    """
    made = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("a+b") as file:
            _lock(file, path, busy)
            try:
                yield
            finally:
                if not path.stat().st_size:
                    path.unlink()
    finally:
        if made:
            with suppress(OSError):  # not empty: it holds the results
                path.parent.rmdir()


def _lock(file: IO[bytes], path: Path, busy: str) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InvalidInputError(busy) from error
    if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
        raise InvalidInputError(busy)  # its holder removed it, still empty, between our opening and locking it
