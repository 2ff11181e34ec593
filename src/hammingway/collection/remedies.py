"""What to do where a collection refuses, in the words of Python."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Remedy"]


class Remedy(StrEnum):
    """The second half of a :class:`~hammingway.errors.RefusedError`; the shell says each in its own words."""

    CHOOSE_PATH = "open it with Collection.open, or choose another path"
    REPLACE = "upsert replaces items"
    GIVE_IDS = "give ids, one an item"
    GIVE_CODES = "hand over Codes instead of vectors"
    GIVE_ORIGINALS = "hand them over as vectors"
    KEEP_ORIGINALS = "create one with originals='float32'"
    GIVE_QUERY_VECTORS = "hand them over as queries, or as vectors="
    USE_ENCODER = "hand over vectors, to a collection that was created with encoder=hasher"
