"""HDF5 as ann-benchmarks lays it out: datasets train, test, neighbors, distances and a few attributes.

A file damaged *within its metadata* can crash the HDF5 library itself, and the process with it, or
keep it busy for ever. So every file is read by a process of its own, which costs about half a
second: what happens there is one clear error here. Contiguous data sets are mapped by this process,
which then needs no more of the library; others come through a pipe.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BufferedReader
from pathlib import Path
from threading import Timer
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hammingway import errors
from hammingway.datasets.formats.base import FileFormat, Rows, Source, as_numbers, file_size, source_of_array
from hammingway.errors import FileFormatError, InvalidInputError, MissingExtraError
from hammingway.progress import row_chunks

__all__ = ["DEFAULT_KEY", "FORMATS", "attributes"]

DEFAULT_KEY = "train"
_OVERHEAD_BYTES = 1 << 16  # more than the header and attributes of a file of one data set
_PATIENCE_SECONDS = 300.0  # for one answer or one piece of rows
_FEATURE = "Reading and writing HDF5 files"


def attributes(path: Path) -> dict[str, str]:
    """Return the file's attributes (``distance``, ``type``, ``point_type``, ...) as text."""
    file_size(path)
    with _asked(path, "attributes") as (answer, _):
        return dict(answer["attributes"])


def _open(path: Path, key: str | None) -> Source:
    file_size(path)
    name = key or DEFAULT_KEY
    with _asked(path, "describe", name) as (answer, _):
        shape, dtype, offset = tuple(answer["shape"]), np.dtype(answer["dtype"]), answer["offset"]
    if offset is not None:
        return source_of_array(as_numbers(np.memmap(path, dtype, "r", offset, shape), path))
    dtype = as_numbers(np.empty(0, dtype), path).dtype

    def chunks(n_rows: int) -> Iterator[NDArray[Any]]:
        with _asked(path, "rows", name, str(n_rows)) as (answer, process):
            if tuple(answer["shape"]) != shape:
                raise FileFormatError(f"{path} changed while it was read; read it again.")
            for rows in row_chunks(shape[0], n_rows):
                yield _array(path, process, (rows.stop - rows.start, *shape[1:]), dtype)

    return Source(shape, dtype, chunks)


@contextmanager
def _asked(path: Path, *task: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[bytes]]]:
    """Give the answer of a process that reads ``path``, and the process, whose output goes on after it.

    Raises
    ------
    FileFormatError, InvalidInputError : as the process says, or it crashed or took for ever.
    MissingExtraError : h5py is not installed.
    """
    if find_spec("h5py") is None:
        raise MissingExtraError(_FEATURE, "data")
    command = [sys.executable, "-P", "-m", "hammingway.datasets.formats.hdf5_child", task[0], str(path), *task[1:]]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    # A crash is told by the exit status; what the library writes about it helps nobody.
    process = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    with process:
        try:
            with _patience(process) as pipe:
                line = pipe.readline()
            if not line:
                raise _end_of(process, path)
            yield _said(line), process
        finally:
            process.kill()


def _said(line: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise getattr(errors, answer["error"])(answer["message"])
    return answer


def _array(path: Path, process: subprocess.Popen[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    array = np.empty(shape, dtype)
    if array.size:
        wanted = array.reshape(-1).view(np.uint8).data
        with _patience(process) as pipe:
            n_read = pipe.readinto(wanted)
        if n_read != wanted.nbytes:
            raise FileFormatError(f"{path} is damaged: the HDF5 library failed while it read its rows.")
    return array


@contextmanager
def _patience(process: subprocess.Popen[bytes]) -> Iterator[BufferedReader]:
    """Give the pipe from the process, which is killed if reading takes for ever."""
    timer = Timer(_PATIENCE_SECONDS, process.kill)
    timer.start()
    try:
        yield cast("BufferedReader", process.stdout)
    finally:
        timer.cancel()


def _end_of(process: subprocess.Popen[bytes], path: Path) -> FileFormatError:
    status = process.wait()
    how = f"by signal {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
    return FileFormatError(f"{path} is damaged: the process in which the HDF5 library read it ended {how}.")


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(_FEATURE, "data") from error
    return h5py


def _write(path: Path, rows: Rows, key: str | None) -> None:
    h5py = _h5py()
    extent = rows.n_rows or 0
    growing = rows.n_rows is None
    _check_room(path, extent * rows.n_dims * rows.dtype.itemsize + _OVERHEAD_BYTES)
    with h5py.File(path, "w") as file:
        file.attrs.update(type="dense", dimension=rows.n_dims, point_type="float" if rows.dtype.kind == "f" else "int")
        try:
            dataset = file.create_dataset(
                key or DEFAULT_KEY,
                shape=(extent, rows.n_dims),
                maxshape=(None, rows.n_dims) if growing else None,
                dtype=rows.dtype,
            )
        except ValueError as error:  # such as "/", which is the root
            raise InvalidInputError(f"{key!r} cannot be the key of an HDF5 data set: {error}.") from error
        start = 0
        for chunk in rows.chunks:
            if growing:
                dataset.resize(start + len(chunk), axis=0)
            dataset[start : start + len(chunk)] = chunk
            start += len(chunk)


def _check_room(path: Path, n_bytes: int) -> None:
    """Raise OSError now if the disk has no room: after a write that failed, the HDF5 library crashes the process."""
    if not hasattr(os, "posix_fallocate"):
        return
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that cannot reserve
                raise


FORMATS = (FileFormat("hdf5", (".hdf5", ".h5"), _open, _write, magic=b"\x89HDF\r\n\x1a\n"),)
