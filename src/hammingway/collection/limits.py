"""Sizes that decide when recent writes become a segment and when segments are merged."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CHUNK_SLOTS", "LIMITS", "Limits"]

CHUNK_SLOTS = 16384
"""Slots whose live bits are stored, and replaced at a deletion, as one row of the database."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a collection reorganises itself.

    Parameters
    ----------
    recent_slots : writes kept in the database before they become a segment, at most ``CHUNK_SLOTS``;
        opening reads them all.
    segment_slots : most slots of one segment; a deletion copies its live bits, a merge writes it anew.
    segments_a_tier : segments of about one size that are merged into one.
    """

    recent_slots: int = 16384
    segment_slots: int = 1 << 22
    segments_a_tier: int = 8

    def tier_of(self, n_slots: int) -> int:
        """Return the tier of a segment: 0 for the smallest, one more for every ``segments_a_tier`` times the size."""
        tier, size = 0, self.recent_slots * self.segments_a_tier
        while n_slots >= size:
            tier, size = tier + 1, size * self.segments_a_tier
        return tier


LIMITS = Limits()
