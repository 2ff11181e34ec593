"""One process at a time in a folder: two would do the same work twice, and write over each other."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

from hammingway.errors import FolderInUseError, InvalidInputError

__all__ = ["sole_use"]


@contextmanager
def sole_use(path: Path, *, work: str) -> Iterator[None]:
    """Keep every other process out of a folder that asks for the same file in it, for a while.

    The file is made if need be, its folder too, and both are removed if they are still empty; a link to the file stays.
    The lock goes with the process, however it ends. On Windows nothing is locked.

    Parameters
    ----------
    path : of the file.
    work : what is done in the folder, as in 'training'; the other process is told.

    Raises
    ------
    FolderInUseError : another process holds the file, or this one does already.
    InvalidInputError : ``path`` is a folder, a device or a pipe.
    """
    busy = FolderInUseError(f"{path.parent} is in use by another {work}; wait until it ends, or give another folder.")
    made = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _open(path, busy) as file:
            _lock(file, path, busy)
            try:
                yield
            finally:
                with suppress(OSError):  # the folder was removed meanwhile; or Windows, which keeps what is open
                    if not path.stat().st_size:
                        Path(os.path.realpath(path)).unlink()
    finally:
        if made:
            with suppress(OSError):  # not empty: it holds the results
                path.parent.rmdir()


def _open(path: Path, busy: FolderInUseError) -> IO[bytes]:
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise InvalidInputError(f"{path} is a folder, a device or a pipe, not a file to lock; give another folder.")
    try:
        return path.open("a+b")
    except FileNotFoundError as error:
        if path.is_symlink():  # into a folder that is not there
            raise
        raise busy from error  # its holder removed the folder, still empty, after we saw that it was there


def _lock(file: IO[bytes], path: Path, busy: FolderInUseError) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_ours = os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError) as error:
        raise busy from error
    if not is_ours:
        raise busy  # its holder removed it, still empty, between our opening and locking it
