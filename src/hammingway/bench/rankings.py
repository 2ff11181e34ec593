"""Other rankings of the same codes: by the queries' scores, and by the originals of a short list.

A ranking is named by a word that a plan or a command line can hold: ``asymmetric-8`` and ``asymmetric-4``
rank by the query's scores rounded to so many bits, ``rerank-100`` takes the hundred nearest codes and
puts them in order by the original vectors, ``asymmetric-8+rerank-100`` does the one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hammingway.errors import ConfigError

__all__ = ["Ranking", "check_rankings"]

_NAME = re.compile(r"(?:asymmetric-(?P<bits>[48]))?(?P<plus>\+)?(?:rerank-(?P<depth>[1-9][0-9]{0,8}))?")


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """How codes are ranked.

    Parameters
    ----------
    query_bits : 4 or 8, the bits a query's score is rounded to; None to rank by Hamming distance.
    depth : results put in order by the originals, from 1; None for none.

    Examples
    --------
    >>> Ranking.parse("asymmetric-8+rerank-100")
    Ranking(query_bits=8, depth=100)
    """

    query_bits: int | None = None
    depth: int | None = None

    @classmethod
    def parse(cls, name: str) -> Ranking:
        """Return the ranking of that name.

        Raises
        ------
        ConfigError : there is none.
        """
        match = _NAME.fullmatch(name)
        bits, plus, depth = match.group("bits", "plus", "depth") if match else (None, None, None)
        if not (bits or depth) or bool(plus) != bool(bits and depth):
            raise ConfigError(
                f"there is no ranking {name!r}; give asymmetric-8, asymmetric-4, rerank-N for a number N, or both "
                "with a plus, as in asymmetric-8+rerank-100."
            )
        return cls(query_bits=int(bits) if bits else None, depth=int(depth) if depth else None)


def check_rankings(names: Sequence[str]) -> None:
    """Raise unless every name is that of a ranking, each once.

    Raises
    ------
    ConfigError : which name is not, or stands twice.
    """
    for name in names:
        Ranking.parse(name)
        if names.count(name) > 1:
            raise ConfigError(f"the ranking {name!r} stands twice; remove the repetition.")
