"""An open collection: the snapshot that searches see, and the only way to replace it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection
from threading import RLock

from hammingway.collection.changes import Change
from hammingway.collection.database import Database, Folder
from hammingway.collection.limits import LIMITS, Limits
from hammingway.collection.loading import load_snapshot, read_manifest
from hammingway.collection.parts import Part, Snapshot
from hammingway.collection.records import FORMAT_VERSION
from hammingway.collection.segments import remove_files
from hammingway.collection.tables import TableGuard
from hammingway.errors import InvalidInputError

__all__ = ["Session"]


class Session:
    """The state of one opened collection.

    Parameters
    ----------
    folder : of the collection.
    read_only : stay on the state found; otherwise take the writer's lock.
    limits : when segments are written and merged.
    """

    def __init__(self, folder: Folder, *, read_only: bool, limits: Limits = LIMITS) -> None:
        self.folder, self._limits = folder, limits
        self.database = Database(folder, read_only=read_only)
        self._writing = RLock()
        self.guard = TableGuard(folder.database)
        try:
            self.snapshot = load_snapshot(self.database, folder, known={})
            if not read_only:
                self._remove_orphans()
        except BaseException:
            self.database.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[tuple[Snapshot, Connection]]:
        """Give the present snapshot and a connection that reads the same state, whatever is written meanwhile."""
        with self.database.lock:
            connection = self.database.begin_reading()
            snapshot = self.snapshot
        with self.database.reading(connection) as reader:
            yield snapshot, reader

    @contextmanager
    def changing(self) -> Iterator[Change]:
        """Give an operation to prepare; at the end it is committed, or, on an exception, as if it never was."""
        with self._writing:
            self.check_writable()
            self._modernise()
            self._tidy()
            with self._change() as change:
                yield change

    def compact(self) -> None:
        """Merge what is recent, dead or scattered, give back what the database has free, and empty the log."""
        with self._writing:
            self.check_writable()
            self._modernise()
            loose = [part for part in self.snapshot.segments if part.n_live < self._limits.segment_slots]
            has_dead = any(part.n_live < part.n_slots for part in loose)
            if self.snapshot.recent.n_slots or has_dead or len(loose) > 1:
                with self._change() as change:
                    change.merge(loose, recent=True)
            self._give_back_pages()
            self.database.checkpoint()

    def refresh(self) -> None:
        """Move a read-only session to the newest state."""
        with self.database.lock:
            self.database.check_open()
            if self.database.read_only:
                known = {part.record.number: part for part in self.snapshot.segments if part.record is not None}
                self.database.renew()
                self.snapshot = load_snapshot(self.database, self.folder, known=known)

    def check_writable(self) -> None:
        """Raise InvalidInputError where the collection was opened only to read, or is closed."""
        self.database.check_open()
        if self.database.read_only:
            raise InvalidInputError(f"{self.folder.path} was opened with read_only=True; open it to write.")

    def close(self) -> None:
        """Close the database and release the writer's lock."""
        with self._writing:
            self.database.close()

    @contextmanager
    def _change(self) -> Iterator[Change]:
        made: list[Change] = []
        new: list[Snapshot] = []

        def publish() -> None:
            self.snapshot = new[0]

        def undo() -> None:
            remove_files([path for change in made for path in change.written])

        with self.database.transaction(publish, undo) as connection:
            if read_manifest(connection, self.folder).operation != self.snapshot.manifest.operation:
                # An interrupt fell between a commit and its snapshot.
                self.snapshot = load_snapshot(self.database, self.folder, known={})
            change = Change(connection, self.folder, self.snapshot, self._limits)
            made.append(change)
            yield change
            new.append(change.finish())
        self.database.acknowledge(self.snapshot.manifest.operation)
        remove_files(change.obsolete)

    def _modernise(self) -> None:
        if self.snapshot.manifest.format_version < FORMAT_VERSION:
            with self._change() as change:
                change.modernise()

    def _give_back_pages(self) -> None:
        """Write the database anew where many rows or pages of it are gone: pages may also stay partly filled."""
        manifest = self.snapshot.manifest
        if self.database.has_free_pages() or 4 * manifest.n_forgotten > manifest.n_described:
            self.database.rewrite()
            with self._change() as change:
                change.update(n_forgotten=0)

    def _tidy(self) -> None:
        """Merge segments of one tier once there are enough, and rewrite those that are mostly dead."""
        tiers: dict[int, list[Part]] = {}
        for part in self.snapshot.segments:
            if 2 * part.n_live < part.n_slots:
                tiers.setdefault(-1, []).append(part)
            elif part.n_live <= self._limits.segment_slots // 2:
                tiers.setdefault(self._limits.tier_of(part.n_live), []).append(part)
        for tier, parts in sorted(tiers.items()):
            if tier < 0 or len(parts) >= self._limits.segments_a_tier:
                with self._change() as change:
                    change.merge(parts, recent=False)

    def _remove_orphans(self) -> None:
        """Remove the files of operations that never counted."""
        named = {file.name for part in self.snapshot.segments if part.record for file in part.record.files}
        remove_files([path for path in self.folder.segments.iterdir() if path.name not in named])
