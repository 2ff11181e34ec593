"""The second half of an 'unknown name' message."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean"]


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return "Did you mean 'x'?" for near misses, else the list of what is known.

    Parameters
    ----------
    cutoff : likeness from which a name is near, 0 to 1, as difflib measures it.

    Examples
    --------
    >>> did_you_mean("lhs", ["lsh", "itq"])
    "Did you mean 'lsh'?"
    >>> did_you_mean("zzz", ["lsh", "itq"])
    'Known: itq, lsh.'
    """
    known = sorted(known)
    near = get_close_matches(name, known, n=3, cutoff=cutoff)
    if near:
        return f"Did you mean {' or '.join(repr(match) for match in near)}?"
    return f"Known: {', '.join(known)}." if known else "None is registered."
