"""The SQLite file of a collection: who may write it, what of it may be trusted, and how it fails."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from time import sleep
from zlib import crc32

from hammingway.errors import CollectionLockedError, FileFormatError, InvalidInputError

__all__ = ["Database", "Folder", "create_database", "system_errors"]

SCHEMA = """
CREATE TABLE manifest (only INTEGER PRIMARY KEY CHECK (only = 1), body TEXT NOT NULL, mark INTEGER NOT NULL);
CREATE TABLE segments (number INTEGER PRIMARY KEY, body TEXT NOT NULL, mark INTEGER NOT NULL);
CREATE TABLE live (
    segment INTEGER, chunk INTEGER, bits BLOB NOT NULL, mark INTEGER NOT NULL, PRIMARY KEY (segment, chunk)
) WITHOUT ROWID;
CREATE TABLE recent (
    first_slot INTEGER PRIMARY KEY, keys BLOB NOT NULL, codes BLOB NOT NULL, originals BLOB, mark INTEGER NOT NULL,
    names BLOB
);
CREATE TABLE metadata (key INTEGER PRIMARY KEY, body TEXT NOT NULL, mark INTEGER NOT NULL);
"""
_BUSY_SECONDS = 30.0
_CACHE_KIB = 32768
_LOG_PAGES = 2000
_COUNTER_TRIES = 5
_FREE_SHARE = 10
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SYSTEM = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}


class Folder:
    """The paths inside the directory of a collection."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()  # a program may change its folder while a collection is open
        self.database = self.path / "collection.db"
        self.segments = self.path / "segments"
        self.encoder = self.path / "encoder.hasher"
        self.writer = self.path / "writer.lock"

    def segment_file(self, number: int, content: str) -> Path:
        """Return the file of one of a segment's arrays."""
        return self.segments / f"{number:08d}.{content}.npy"

    def disk_bytes(self) -> int:
        """Return the bytes of all files."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())


class Database:
    """Connections to one collection's database: one that writes, or one that reads a fixed state.

    Parameters
    ----------
    folder : of the collection.
    read_only : hold one state until :meth:`renew`; otherwise take the writer's lock.

    Raises
    ------
    CollectionLockedError : another writer has the collection open.
    FileFormatError : the database is damaged.
    """

    def __init__(self, folder: Folder, *, read_only: bool) -> None:
        self._folder, self.read_only = folder, read_only
        self.lock = RLock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._counter = -1 if read_only else _take_lock(folder)
        self._still = _keep_writers_out(folder) if read_only else -1
        try:
            with system_errors(folder.database):
                self.main = self._connect()
                if read_only:
                    self.main.execute("PRAGMA query_only = ON")
                    self.main.execute("BEGIN")
        except BaseException:
            self._release_lock()
            raise

    @property
    def path(self) -> Path:
        """The file of the database."""
        return self._folder.database

    def acknowledged(self) -> int:
        """Return the number of the last operation that was acknowledged, as far as is known without the database.

        The log of the database ends silently at a damaged page; this number tells.

        Raises
        ------
        FileFormatError : the number does not match its checksum.
        """
        for _ in range(_COUNTER_TRIES):
            content = self._folder.writer.read_bytes() if self._folder.writer.is_file() else b""
            number = int.from_bytes(content[:8], "little")
            if not content or content == _counted(number):
                return number
            sleep(0.001)  # the writer may be in the middle of it
        raise FileFormatError(f"{self._folder.writer} is damaged: it does not match its checksum. Restore a copy.")

    def acknowledge(self, operation: int) -> None:
        """Note that ``operation`` is committed."""
        os.pwrite(self._counter, _counted(operation), 0)

    @contextmanager
    def transaction(self, publish: Callable[[], None], undo: Callable[[], None]) -> Iterator[sqlite3.Connection]:
        """Give the writing connection; commit and ``publish`` at the end, or roll back and ``undo``.

        Where it cannot be known whether the commit happened, neither is called.
        """
        with system_errors(self.path):
            self.main.execute("BEGIN IMMEDIATE")
            try:
                yield self.main
                # Searching threads begin to read under the same lock: their state and snapshot belong together.
                with self.lock:
                    self.main.execute("COMMIT")
                    publish()
            finally:
                if self.main.in_transaction:
                    self.main.execute("ROLLBACK")
                    undo()

    @contextmanager
    def reading(self, connection: sqlite3.Connection | None) -> Iterator[sqlite3.Connection]:
        """Give the connection that :meth:`begin_reading` began; or, reading only, the one there is, alone."""
        with system_errors(self.path):
            if connection is None:
                with self.lock:
                    yield self.main
                return
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")
                with self.lock:
                    if self._closed:
                        connection.close()
                    else:
                        self._idle.append(connection)

    def begin_reading(self) -> sqlite3.Connection | None:
        """Begin to read the present state beside the writer; None where the database itself holds a state."""
        self.check_open()
        if self.read_only:
            return None
        with system_errors(self.path):
            connection = self._idle.pop() if self._idle else self._connect()
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM manifest").fetchone()  # SQLite begins to read at the first query
            return connection

    def check_open(self) -> None:
        """Raise InvalidInputError once this is closed."""
        if self._closed:
            raise InvalidInputError(f"{self._folder.path} is closed; open the collection again.")

    def renew(self) -> None:
        """Hold the newest state instead."""
        with self.lock, system_errors(self.path):
            self.main.execute("ROLLBACK")
            self.main.execute("BEGIN")

    def has_free_pages(self) -> bool:
        """Return whether pages that hold nothing are a tenth of the file or more."""
        with system_errors(self.path):
            (n_free,) = self.main.execute("PRAGMA freelist_count").fetchone()
            (n_pages,) = self.main.execute("PRAGMA page_count").fetchone()
        return bool(n_pages <= _FREE_SHARE * n_free)

    def rewrite(self) -> None:
        """Write the database anew without the room of what was removed; interrupted, it stays as it is."""
        with system_errors(self.path):
            self.main.execute("VACUUM")

    def checkpoint(self) -> None:
        """Move the log into the database and empty it, as far as readers allow."""
        with system_errors(self.path):
            self.main.execute("PRAGMA busy_timeout = 0")  # do not wait for a reader to leave
            self.main.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.main.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")

    def close(self) -> None:
        """Close all connections and release the writer's lock."""
        with self.lock:
            self._closed = True
            for connection in (*self._idle, self.main):
                connection.close()
            self._idle.clear()
            self._release_lock()

    def _connect(self) -> sqlite3.Connection:
        if not self.path.is_file():
            raise FileFormatError(f"{self._folder.path} is not a collection: it has no {self.path.name}.")
        # To read beside a writer SQLite needs files of its own in the folder, unless it is told that there is none.
        address = self.path if self._still < 0 else f"{self.path.as_uri()}?immutable=1"
        connection = sqlite3.connect(
            address,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            uri=self._still >= 0,
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA cell_size_check = ON")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            connection.execute("PRAGMA trusted_schema = OFF")
        except BaseException:
            connection.close()
            raise
        return connection

    def _release_lock(self) -> None:
        for descriptor in (self._counter, self._still):
            if descriptor >= 0:
                os.close(descriptor)
        self._counter = self._still = -1


def create_database(folder: Folder) -> None:
    """Write an empty database into ``folder``."""
    with system_errors(folder.database):
        connection = sqlite3.connect(folder.database, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(SCHEMA)
        finally:
            connection.close()
    folder.writer.write_bytes(_counted(0))  # room for the number, so that a full disk cannot refuse it later


def _counted(operation: int) -> bytes:
    number = operation.to_bytes(8, "little")
    return number + crc32(number).to_bytes(4, "little")


@contextmanager
def system_errors(path: Path) -> Iterator[None]:
    """Raise what SQLite reports as an error of ours, or of the system, that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite quotes the damaged text in its message
        raise FileFormatError(f"{path} is damaged: {error}. Restore a copy.") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise CollectionLockedError(f"{path} is locked by another program; close that and try again.") from error
        if code in _SYSTEM:
            raise OSError(_SYSTEM[code], f"{os.strerror(_SYSTEM[code])} ({error})", str(path)) from error
        if code in _DAMAGE or isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError):
            if isinstance(error, sqlite3.ProgrammingError):
                raise InvalidInputError(f"{path} cannot be used: {error} Open the collection again.") from error
            raise FileFormatError(f"{path} is damaged: {error}. Restore a copy.") from error
        raise


def _take_lock(folder: Folder) -> int:
    import fcntl

    if not folder.database.is_file():
        raise FileFormatError(f"{folder.path} is not a collection: it has no {folder.database.name}.")
    descriptor = os.open(folder.writer, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise CollectionLockedError(
            f"{folder.path} is open for writing elsewhere; close it there, or open it here only to read."
        ) from error
    return descriptor


def _keep_writers_out(folder: Folder) -> int:
    """Return a descriptor that holds a shared lock, where the folder cannot be written and nobody writes it; or -1."""
    effective = os.access in os.supports_effective_ids
    if not folder.writer.is_file() or os.access(folder.path, os.W_OK, effective_ids=effective):
        return -1
    import fcntl

    descriptor = os.open(folder.writer, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:  # then the writer's own files are there to read by
        os.close(descriptor)
        return -1
    if folder.database.with_name(f"{folder.database.name}-wal").exists():
        os.close(descriptor)
        return -1
    return descriptor
