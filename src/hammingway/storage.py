"""Files that are either whole or absent: arrays and a JSON header in one safetensors file.

No pickle anywhere. A file is written in a folder of its own beside its final name, flushed to disk and
renamed, so an interruption at any instant leaves the old file or the new one. What a killed process left
in such a folder is removed by the next that writes the same file. Every array and the header carry a
BLAKE2b digest: a flipped byte is an error, never a wrong result.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hammingway.errors import FileFormatError, InvalidInputError

if sys.platform != "win32":
    import fcntl

__all__ = ["atomic_path", "atomic_writer", "digest", "looks_sealed", "read_arrays", "read_kind", "write_arrays"]

FORMAT_VERSION = 1
_HEADER_KEY = "hammingway"
_N_RANDOM = 8  # bytes in the name of a folder of unfinished files
_LONGEST_WHOLE = 120  # bytes of a name that stands whole in that one; 143 in all, which encrypted disks take, too
_N_LINKS_OF_FLAT = 2  # of a folder without folders in it, on disks that count these; 1 or more than 2 on others
_START = b'{"__metadata__"'  # after eight bytes that tell the length of the header


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path near ``path``; on success it becomes ``path``, on any exception it is removed.

    Where ``path`` is a symbolic link, the file it leads to is replaced, and the link stays. The temporary file may be
    replaced, and others made beside it; they are removed in the end.

    Raises
    ------
    InvalidInputError : ``path`` is a device or a pipe.
    OSError : it is a directory, or its directory cannot be written to.
    """
    final = Path(os.path.realpath(path))
    if final.is_dir():  # here, before anything is written; also the empty path, which is the current directory
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if final.exists() and not final.is_file():
        raise InvalidInputError(f"{path} is a device or a pipe, which a file would replace; give the path of a file.")
    temporary = final.with_name(f".{_short_name(final)}.{secrets.token_hex(_N_RANDOM)}.part") / final.name
    lock = None
    try:
        # Made here, so that Ctrl-C between making and removing it leaves nothing, and by the umask's permissions.
        lock = _make(temporary, path)
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(final)
    finally:
        with suppress(OSError):  # it was never made; the error on its way says why
            _remove_folder(temporary.parent)
        if lock is not None:
            os.close(lock)
    _flush_to_disk(final.parent)
    _remove_abandoned(final)


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Give a binary file; its content appears under ``path`` whole, or not at all."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        yield file


def write_arrays(
    path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], *, kind: str, header: Mapping[str, Any]
) -> None:
    """Write ``arrays`` and a JSON-able ``header`` to ``path`` in one atomic step.

    Parameters
    ----------
    arrays : bool, integer or float arrays of any shape; stored in C order and native byte order.
    kind : what the file holds ('hasher', 'codes', 'flat-index', ...); a reader of another kind refuses it.

    Raises
    ------
    InvalidInputError : an array of another type (objects, strings, complex numbers).
    """
    ordered = {name: _storable(name, array) for name, array in arrays.items()}
    envelope = {
        "kind": kind,
        "format_version": FORMAT_VERSION,
        "header": dict(header),
        "digests": {name: digest(array) for name, array in ordered.items()},
    }
    with atomic_path(path) as temporary, _system_errors(path):
        permissions = temporary.stat().st_mode
        save_file(ordered, temporary, metadata={_HEADER_KEY: _sealed(json.dumps(envelope, sort_keys=True))})
        temporary.chmod(permissions)  # safetensors put a file of its own there, which only its owner may read


def read_arrays(path: str | os.PathLike[str], *, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the arrays and header that :func:`write_arrays` wrote.

    Raises
    ------
    FileNotFoundError : there is no such file.
    OSError : it cannot be opened.
    FileFormatError : not such a file, of another kind or a newer format, or damaged.
    """
    _check_readable(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    # AttributeError: a number type that safetensors knows and NumPy does not
    except (SafetensorError, OSError, TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(
            f"{path} is not a readable {kind} file of Hammingway ({error}); give one that Hammingway saved."
        ) from error
    envelope = _envelope(metadata, path)
    _check_kind(envelope, kind, path)
    for name in sorted(envelope["digests"].keys() | arrays.keys()):
        if name not in arrays or digest(arrays[name]) != envelope["digests"].get(name):
            raise FileFormatError(f"{path} is damaged: array {name!r} does not match its checksum. Write it again.")
    return arrays, envelope["header"]


def read_kind(path: str | os.PathLike[str]) -> str | None:
    """Return what kind of file :func:`write_arrays` wrote, from its header alone; None for any other file.

    Raises
    ------
    FileNotFoundError : there is no such file.
    OSError : it cannot be read.
    """
    _check_readable(path)
    try:
        with _system_errors(path), safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        return str(_envelope(metadata, path)["kind"])
    except (SafetensorError, FileFormatError):
        return None


def looks_sealed(path: str | os.PathLike[str]) -> bool:
    """Return whether a file begins as those of :func:`write_arrays` do, be it sound or damaged."""
    with Path(path).open("rb") as file:
        return file.read(8 + len(_START))[8:] == _START


def digest(array: NDArray[Any]) -> str:
    """Return ``b2:`` and a BLAKE2b digest of an array's dtype, shape and bytes."""
    hasher = hashlib.blake2b(f"{array.dtype.str}{array.shape}".encode(), digest_size=16)
    hasher.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return "b2:" + hasher.hexdigest()


def _storable(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return ``array`` in C order and native byte order, its shape kept (0-d too)."""
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise InvalidInputError(f"array {name!r} must be bool, integer or float to be stored; got {array.dtype}.")
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def _sealed(text: str) -> str:
    """Return ``text`` behind its own digest: one entry, as safetensors writes several in random order."""
    return f"b2:{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()} {text}"


@contextmanager
def _system_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise the OSError (disk full, ...) that safetensors tells of only in its message."""
    try:
        yield
    except (SafetensorError, OSError) as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), os.fspath(path)) from error


def _check_readable(path: str | os.PathLike[str]) -> None:
    """Raise what keeps a file from being opened, which safetensors takes for a missing file whatever it is."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file.")
    with Path(path).open("rb"):
        pass


def _envelope(metadata: Mapping[str, str], path: str | os.PathLike[str]) -> dict[str, Any]:
    if _HEADER_KEY not in metadata:
        raise FileFormatError(f"{path} was not written by Hammingway: it has no header of ours.")
    _, _, text = metadata[_HEADER_KEY].partition(" ")
    if metadata[_HEADER_KEY] != _sealed(text):
        raise FileFormatError(f"{path} is damaged: its header does not match its checksum. Write it again.")
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError) as error:  # not JSON, a number of thousands of digits, or nested without end
        raise FileFormatError(f"{path} is damaged: its header is not JSON. Write it again.") from error
    expected = {"kind": str, "format_version": int, "header": dict, "digests": dict}
    if not isinstance(envelope, dict) or not all(isinstance(envelope.get(key), kind) for key, kind in expected.items()):
        raise FileFormatError(f"{path} is damaged: its header is incomplete. Write it again.")
    return envelope


def _check_kind(envelope: Mapping[str, Any], kind: str, path: str | os.PathLike[str]) -> None:
    if envelope["kind"] != kind:
        came = ascii(envelope["kind"])[1:-1]  # any text may stand there, also one that cannot be printed
        raise FileFormatError(f"{path} holds a {came}; a {kind} was expected.")
    if envelope["format_version"] > FORMAT_VERSION:
        raise FileFormatError(
            f"{path} has format version {envelope['format_version']}; this version of Hammingway reads up to "
            f"{FORMAT_VERSION}. Upgrade Hammingway."
        )


def _short_name(final: Path) -> str:
    """Return the name of a file, or, of a long one, its start and a digest: a name made of it may be longer."""
    name = os.fsencode(final.name)
    if len(name) <= _LONGEST_WHOLE:
        return final.name
    return f"{final.name[:24]}~{hashlib.blake2b(name, digest_size=8).hexdigest()}"  # 24 characters: 96 bytes at most


def _make(temporary: Path, asked: str | os.PathLike[str]) -> int | None:
    """Make the temporary file in a folder of its own, and return what locks that; an error names what was asked for."""
    lock = None
    try:
        while not temporary.exists():
            temporary.parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # while it was empty, another process took it for abandoned
                lock = _try_lock(temporary.parent)
                os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(asked)) from error
    return lock


def _try_lock(folder: Path) -> int | None:
    """Return a descriptor that locks a folder until it is closed or the process ends; None if it is locked.

    None, too, where a disk or Windows has no such locks: what is abandoned there stays.
    """
    if sys.platform == "win32":
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_abandoned(final: Path) -> None:
    """Remove what killed processes left unfinished of this file, but nothing that a process still writes."""
    folder = final.parent
    if folder.stat().st_nlink == _N_LINKS_OF_FLAT:
        return  # to list a hundred thousand files takes longer than to write one
    start = f".{_short_name(final)}."
    rest = re.compile(rf"[0-9a-f]{{{2 * _N_RANDOM}}}\.part")
    with suppress(OSError), os.scandir(folder) as entries:  # it may be written to, and not be listed
        for entry in entries:
            if entry.name.startswith(start) and rest.fullmatch(entry.name, len(start)):
                _remove_if_abandoned(Path(entry))


def _remove_if_abandoned(folder: Path) -> None:
    """Remove a folder of unfinished files that no process writes, but none that holds folders: it is a user's own."""
    with suppress(OSError):  # another removes it, or it is another's
        files = list(folder.iterdir())
        if any(file.is_dir() for file in files):
            return
        if not files:
            folder.rmdir()  # one that is still empty, and may not be locked yet, is made again by its owner
        elif (lock := _try_lock(folder)) is not None:
            try:
                _remove_folder(folder)
            finally:
                os.close(lock)


def _remove_folder(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
