"""From what is handed over, codes or vectors, to codes, scores and originals of one collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.code_files import StoredCodes
from hammingway.codes import Codes
from hammingway.collection.database import Folder
from hammingway.collection.inputs import check_originals
from hammingway.collection.records import Manifest
from hammingway.collection.remedies import Remedy
from hammingway.errors import FileFormatError, InvalidInputError, RefusedError
from hammingway.indexes.base import check_codes

if TYPE_CHECKING:
    from hammingway.hashers.base import Hasher

__all__ = ["CodesOrVectors", "Encoding"]

CodesOrVectors = Codes | StoredCodes | ArrayLike


class Encoding:
    """The encoder of a collection and what it accepts.

    Parameters
    ----------
    folder : of the collection.
    manifest : any state of it: what is used here never changes, but ``n_features`` by the first vectors.
    """

    def __init__(self, folder: Folder, manifest: Manifest) -> None:
        self._path, self._manifest = folder.encoder, manifest
        self._hasher: Hasher | None = None

    @property
    def hasher(self) -> Hasher:
        """The stored hasher, loaded at the first use.

        Raises
        ------
        InvalidInputError : none is stored.
        FileFormatError : its file is damaged, or not the one the collection was created with.
        """
        if not self._manifest.has_encoder:
            raise RefusedError("this collection stores no encoder", Remedy.GIVE_CODES)
        if self._hasher is None:
            from hammingway.hashers.saving import load_hasher

            hasher = load_hasher(self._path)
            if hasher.fingerprint() != self._manifest.encoder:
                raise FileFormatError(f"{self._path} is not the encoder of this collection. Restore a copy.")
            self._hasher = hasher
        return self._hasher

    def codes(self, items: CodesOrVectors, what: str) -> Codes:
        """Return codes of this collection's encoder and width, encoding vectors; ``what`` names them in messages."""
        if isinstance(items, StoredCodes):
            known = self._manifest.encoder
            if items.encoder is not None and known is not None and items.encoder != known:
                raise InvalidInputError(
                    f"{what} are of encoder {items.encoder}; this collection holds codes of {known}. Encode them again."
                )
            items = items.codes
        codes = items if isinstance(items, Codes) else self.hasher.encode(items)
        check_codes(codes, self._manifest.n_bits, what=what)
        return codes

    def scores(self, queries: CodesOrVectors) -> NDArray[np.float32]:
        """Return the scores of query vectors, float32 (n_queries, n_bits).

        Raises
        ------
        InvalidInputError : codes, which have no scores, or no encoder is stored.
        """
        if isinstance(queries, Codes | StoredCodes) or not self._manifest.has_encoder:
            raise RefusedError(
                "query_bits ranks by the scores that the stored encoder gives query vectors", Remedy.USE_ENCODER
            )
        return self.hasher.project_queries(queries)

    def originals(self, vectors: ArrayLike | None, shape: tuple[int, int | None]) -> NDArray[Any] | None:
        """Return vectors to keep, (n, n_features or None for any), or None where none are kept."""
        dtype = self._manifest.originals
        if dtype is None:
            if vectors is not None:
                raise RefusedError("this collection keeps no vectors", Remedy.KEEP_ORIGINALS)
            return None
        if vectors is None:
            raise RefusedError(f"this collection keeps vectors as {dtype}", Remedy.GIVE_ORIGINALS)
        return check_originals(vectors, dtype, shape)
