"""The artifact a user keeps: codes under ids, found by Hamming distance, changed safely."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.code_files import StoredCodes
from hammingway.codes import Codes
from hammingway.collection import keys as id_keys
from hammingway.collection import tables
from hammingway.collection.changes import Batch
from hammingway.collection.checking import damages
from hammingway.collection.creation import create_folder, first_manifest
from hammingway.collection.database import Folder
from hammingway.collection.encoding import CodesOrVectors, Encoding
from hammingway.collection.fields import FieldCheck
from hammingway.collection.filters import Condition, compile_filter
from hammingway.collection.inputs import OriginalType, check_metadata
from hammingway.collection.keys import Ids
from hammingway.collection.parts import Part, Snapshot
from hammingway.collection.questions import Question
from hammingway.collection.records import IdType, Manifest
from hammingway.collection.results import (
    CollectionStats,
    Items,
    NamedNeighbors,
    NamedRanges,
    NamedReranked,
    NamedScored,
    named,
)
from hammingway.collection.scan import filtered, within_radius
from hammingway.collection.session import Session
from hammingway.ids import distinct
from hammingway.indexes.base import check_n_threads, check_radius
from hammingway.indexes.rerank import MetricName, Reranked
from hammingway.results import Neighbors, Ranges, Scored

if TYPE_CHECKING:
    from hammingway.hashers.base import Hasher

__all__ = ["Collection"]

Metadata = Sequence[Mapping[str, Any] | None]
Where = Mapping[str, Any] | None


class Collection:
    """Codes, ids, metadata, optionally their encoder and the original vectors, in one directory.

    Make one by :meth:`create` or :meth:`open`, and close it, best by ``with``. Every operation that
    has returned survives a crash of the process or the machine; one that was interrupted happened
    entirely or not at all. One process at a time writes; any number read, each on the state it
    opened (see :meth:`refresh`). Threads may search while another one writes. Damaged bytes are
    reported as FileFormatError, with the file, before a result depends on them.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "words")
    >>> words = Codes.from_bits([[0, 0, 0], [1, 1, 1], [0, 1, 1]])
    >>> with Collection.create(path, n_bits=3, id_type="string") as collection:
    ...     _ = collection.add(words, ids=["no", "yes", "maybe"], metadata=[{"year": 2001}, {"year": 2020}, None])
    ...     collection.search(Codes.from_bits([[1, 1, 0]]), k=2).ids
    ...     collection.search(Codes.from_bits([[1, 1, 0]]), k=1, where={"year": {"$lt": 2010}}).ids
    array([['yes', 'no']], dtype=object)
    array([['no']], dtype=object)
    >>> with Collection.open(path, read_only=True) as collection:
    ...     collection.get(["yes"]).metadata
    [{'year': 2020}]
    """

    def __init__(self, session: Session, *, n_threads: int | None = None) -> None:
        self.n_threads = check_n_threads(n_threads)
        self._session = session
        self._guard, self._field_check = session.guard, FieldCheck(session.folder.database)
        self._encoding = Encoding(session.folder, session.snapshot.manifest)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        encoder: Hasher | str | None = None,
        n_bits: int | None = None,
        id_type: IdType = "integer",
        originals: OriginalType | None = None,
        n_threads: int | None = None,
    ) -> Self:
        """Write an empty collection to ``path``, where nothing is yet, and open it for writing.

        Parameters
        ----------
        encoder : fitted hasher, stored too, that turns vectors into codes; or the fingerprint of one
            kept elsewhere; or None, and codes of any origin are taken.
        n_bits : bits a code, 1 to 4096; the encoder's own where a hasher is given.
        id_type : 'integer' (int64 from 0) or 'string' (1 to 1000 characters).
        originals : dtype in which added vectors are kept too; None keeps none.
        n_threads : threads of a search; None for all cores. The result never depends on it.

        Raises
        ------
        InvalidInputError : there is something at ``path``, or an argument cannot be used.
        """
        check_n_threads(n_threads)
        manifest, hasher = first_manifest(encoder, n_bits, id_type=id_type, originals=originals)
        create_folder(path, manifest, hasher)
        return cls.open(path, n_threads=n_threads)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, read_only: bool = False, n_threads: int | None = None) -> Self:
        """Open the collection at ``path``, to write or only to read.

        Raises
        ------
        FileNotFoundError : there is nothing at ``path``.
        FileFormatError : it is no collection, of a newer format, or damaged.
        CollectionLockedError : it is open for writing elsewhere.
        """
        check_n_threads(n_threads)
        folder = Folder(path)
        if not folder.path.is_dir():
            raise FileNotFoundError(f"{folder.path}: no such collection.")
        return cls(Session(folder, read_only=read_only), n_threads=n_threads)

    def close(self) -> None:
        """Give the directory back; every operation that returned is on the disk already."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._manifest.n_items

    def __contains__(self, item_id: object) -> bool:
        """Return whether there is an item with this id."""
        return id_keys.has(self._session.snapshot, item_id)

    def __repr__(self) -> str:
        return f"Collection({str(self._session.folder.path)!r}, {len(self)} items of {self.n_bits} bits)"

    @property
    def n_bits(self) -> int:
        """Bits a code."""
        return self._manifest.n_bits

    @property
    def id_type(self) -> IdType:
        """'integer' or 'string'."""
        return self._manifest.id_type

    @property
    def encoder_fingerprint(self) -> str | None:
        """Fingerprint of the hasher whose codes these are; None: any are taken."""
        return self._manifest.encoder

    @property
    def encoder(self) -> Hasher:
        """The stored hasher, loaded at the first use.

        Raises
        ------
        InvalidInputError, FileFormatError : none is stored; or its file is damaged or another one.
        """
        return self._encoding.hasher

    def add(
        self,
        items: CodesOrVectors,
        *,
        ids: ArrayLike | Sequence[str] | None = None,
        metadata: Metadata | None = None,
        vectors: ArrayLike | None = None,
    ) -> NDArray[Any]:
        """Add items, durably, and return their ids.

        Parameters
        ----------
        items : n codes, or vectors (n, n_features) for the stored encoder. ``StoredCodes`` carry the
            fingerprint of their encoder, and it is checked; plain ``Codes`` are taken on trust.
        ids : one an item, new and distinct; left out, integer ids go on after the largest ever given.
        metadata : one dict an item that JSON can hold, or None.
        vectors : originals (n, n_features) to keep; left out where ``items`` are the vectors.

        Raises
        ------
        CodeWidthError, ShapeError, InvalidInputError : and nothing was added.
        OSError : the disk is full or failed; nothing was added.
        """
        return self._put(items, ids, metadata, vectors, replace=False)

    def upsert(
        self,
        items: CodesOrVectors,
        *,
        ids: ArrayLike | Sequence[str],
        metadata: Metadata | None = None,
        vectors: ArrayLike | None = None,
    ) -> NDArray[Any]:
        """Add items, or replace those whose ids are there; see :meth:`add`.

        An item is replaced whole, its metadata too: where none is given, it has none afterwards.
        """
        return self._put(items, ids, metadata, vectors, replace=True)

    def delete(self, ids: ArrayLike | Sequence[str]) -> int:
        """Remove the items of ``ids`` and return how many there were; an id listed twice counts once.

        Raises
        ------
        InvalidInputError : an id is not there; nothing was removed.
        """
        with self._session.changing() as change:
            keys = distinct(id_keys.find_known(change.snapshot, ids))
            change.kill(keys)
            change.forget(keys)
        return len(keys)

    def get(self, ids: ArrayLike | Sequence[str]) -> Items:
        """Return the items of ``ids``, in that order.

        Raises
        ------
        InvalidInputError : an id is not there.
        """
        with self._session.reading() as (snapshot, connection):
            keys = id_keys.find_known(snapshot, ids)
            bodies = self._guard.bodies_of(connection, keys, snapshot.manifest.n_described)
        given = id_keys.name_keys(snapshot, keys) if self.id_type == "string" else keys
        codes, vectors = snapshot.contents(keys)
        metadata = [json.loads(bodies.get(key, "{}")) for key in keys.tolist()]
        return Items(given, Codes(codes, self.n_bits), metadata, vectors)

    @overload
    def search(
        self, queries: CodesOrVectors, k: int, *, where: Where = ..., query_bits: None = ..., rerank: None = ...
    ) -> Neighbors | NamedNeighbors: ...
    @overload
    def search(
        self, queries: CodesOrVectors, k: int, *, where: Where = ..., query_bits: int, rerank: None = ...
    ) -> Scored | NamedScored: ...
    @overload
    def search(
        self,
        queries: CodesOrVectors,
        k: int,
        *,
        where: Where = ...,
        query_bits: int | None = ...,
        rerank: int,
        metric: MetricName = ...,
        vectors: ArrayLike | None = ...,
    ) -> Reranked | NamedReranked: ...
    def search(
        self,
        queries: CodesOrVectors,
        k: int,
        *,
        where: Where = None,
        query_bits: int | None = None,
        rerank: int | None = None,
        metric: MetricName = "cosine",
        vectors: ArrayLike | None = None,
    ) -> Neighbors | NamedNeighbors | Scored | NamedScored | Reranked | NamedReranked:
        """Return the ``k`` nearest items of each query, exactly, equal ones in the order of their ids.

        String ids at equal distances come in the order in which they were first added. Without options
        items are ranked by Hamming distance; ``query_bits`` ranks by the inner product of the query's
        scores with the codes read as -1 and +1; ``rerank`` puts the first of either in order by the
        original vectors.

        Parameters
        ----------
        queries : codes, or vectors (n_queries, n_features) for the stored encoder.
        k : items a query, from 1; id -1 (None for strings) at distance ``n_bits + 1``, score minus
            infinity or distance infinity fills up.
        where : filter on the metadata, as :func:`hammingway.collection.filters.compile_filter` takes it:
            ``{"section": "python", "year": {"$gte": 2010}}``. None searches all. Where no item has
            a field that is named, an :class:`~hammingway.collection.UnknownFieldWarning` tells.
        query_bits : 4 or 8, the bits a score is rounded to; see :meth:`hammingway.FlatIndex.search_asymmetric`.
        rerank : candidates a query, at least ``k``, whose originals are read, in the order of their files.
        metric : what :func:`hammingway.rerank` ranks by: 'cosine', 'inner-product' or 'euclidean'.
        vectors : originals of the queries (n_queries, n_features); left out where ``queries`` are the vectors.

        Raises
        ------
        CodeWidthError, ShapeError, InvalidInputError : queries of another width or encoder, no such filter,
            or what is asked for needs an encoder or originals that are not kept.
        FileFormatError : damaged bytes were found.
        """
        question = Question.of(
            self._encoding, queries, k, query_bits=query_bits, depth=rerank, vectors=vectors, metric=metric
        )
        condition = None if where is None else compile_filter(where)
        with self._session.reading() as (snapshot, connection):
            parts = self._parts(connection, snapshot, condition)
            found = question.answer(snapshot, parts, n_threads=self.n_threads)
            return found if self.id_type == "integer" else named(found, id_keys.name_keys(snapshot, found.ids))

    def search_radius(
        self, queries: CodesOrVectors, radius: int, *, where: Mapping[str, Any] | None = None
    ) -> Ranges | NamedRanges:
        """Return all items within ``radius`` bits of each query, that distance included; see :meth:`search`."""
        codes, radius = self._encoding.codes(queries, "queries"), min(check_radius(radius), self.n_bits)
        condition = None if where is None else compile_filter(where)
        with self._session.reading() as (snapshot, connection):
            parts = self._parts(connection, snapshot, condition)
            keys, distances, offsets = within_radius(parts, codes.packed, radius, n_threads=self.n_threads)
            if self.id_type == "integer":
                return Ranges(keys, distances, offsets)
            return NamedRanges(id_keys.name_keys(snapshot, keys), distances, offsets)

    def compact(self) -> None:
        """Give back the space of deleted and replaced items, and write what is recent into segments."""
        self._session.compact()

    def stats(self) -> CollectionStats:
        """Return figures of the collection."""
        snapshot = self._session.snapshot
        n_slots = sum(part.n_slots for part in snapshot.parts)
        return CollectionStats(
            n_items=snapshot.manifest.n_items,
            n_described=snapshot.manifest.n_described,
            n_bits=self.n_bits,
            n_segments=len(snapshot.segments),
            n_recent=snapshot.recent.n_live,
            n_dead=n_slots - snapshot.manifest.n_items,
            operation=snapshot.manifest.operation,
            format_version=snapshot.manifest.format_version,
            encoder=snapshot.manifest.encoder,
            code_bytes=snapshot.manifest.n_items * -(-self.n_bits // 8),
            disk_bytes=self._session.folder.disk_bytes(),
        )

    def verify(self) -> list[str]:
        """Read every byte that counts and return what is damaged, one sentence each; nothing if all is sound."""
        with self._session.reading() as (snapshot, connection):
            return damages(connection, self._session.folder, snapshot)

    def refresh(self) -> None:
        """Let a read-only collection see the newest state; one that writes always does."""
        self._session.refresh()

    @property
    def _manifest(self) -> Manifest:
        return self._session.snapshot.manifest

    def _put(
        self,
        items: CodesOrVectors,
        ids: Ids | None,
        metadata: Metadata | None,
        vectors: ArrayLike | None,
        *,
        replace: bool,
    ) -> NDArray[Any]:
        if ids is None and isinstance(items, StoredCodes):
            ids = items.ids
        if vectors is None and not isinstance(items, Codes | StoredCodes) and self._manifest.originals is not None:
            vectors = items
        codes = self._encoding.codes(items, "codes")
        originals = self._encoding.originals(vectors, (len(codes), self._manifest.n_features))
        bodies = check_metadata(metadata, len(codes))
        with self._session.changing() as change:
            if originals is not None:
                change.update(n_features=originals.shape[1])
            keys, names, named = id_keys.new_keys(change, ids, len(codes), replace=replace)
            change.insert(keys, Batch(codes.packed, originals, names))
            if bodies is not None:
                change.describe(keys, bodies)
        return np.asarray(named)

    def _parts(self, connection: Connection, snapshot: Snapshot, condition: Condition | None) -> Sequence[Part]:
        if condition is None:
            return snapshot.parts
        self._guard.check(connection, snapshot.manifest.n_described)
        keys, inverted = tables.matching_keys(connection, condition)
        n_passed = snapshot.manifest.n_items - len(keys) if inverted else len(keys)
        # stacklevel: whoever called the search that calls this
        self._field_check.warn(connection, snapshot.manifest, condition.fields, n_passed=n_passed, stacklevel=3)
        return filtered(snapshot, keys, inverted=inverted)
