"""What every exact index must do, checked against distances counted bit by bit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from hammingway.codes import Codes
from hammingway.errors import CodeWidthError, FileFormatError, InvalidInputError, ShapeError
from hammingway.indexes.base import Index

__all__ = ["CHECKS", "WIDTHS", "IndexFactory", "Oracle", "check_index"]

WIDTHS = (1, 7, 8, 9, 63, 64, 65, 130)
"""Widths at the edges of bytes and words, in bits."""

IndexFactory = Callable[[int], Index]
"""Makes an empty index for codes of ``n_bits`` bits; an Index class is one."""


def check_index(make: IndexFactory, *, widths: Sequence[int] = WIDTHS, seed: int = 0) -> None:
    """Raise AssertionError, naming the broken rule, unless ``make`` makes sound exact indexes.

    Parameters
    ----------
    make : the index class, or a function from ``n_bits`` to an empty index.
    widths : code widths to try, in bits.
    seed : seed of the random codes; the same seed tries the same codes.

    Raises
    ------
    AssertionError : a rule of :class:`hammingway.indexes.Index` is broken; the message says which.

    Examples
    --------
    >>> from hammingway.indexes import FlatIndex
    >>> check_index(FlatIndex, widths=[7])
    """
    for n_bits in widths:
        for check in CHECKS:
            check(make, n_bits, np.random.default_rng([seed, n_bits]))


@dataclass
class Oracle:
    """The slow truth: bits in a table by id, and every distance counted.

    Parameters
    ----------
    n_bits : bits a code.
    table : the bits of each id, bool (n_bits,).
    next_id : one more than the largest id ever given.
    """

    n_bits: int
    table: dict[int, NDArray[np.bool_]] = field(default_factory=dict)
    next_id: int = 0

    def add(self, codes: Codes, ids: Sequence[int] | NDArray[np.int64]) -> None:
        """Keep ``codes`` under ``ids``."""
        numbers = [int(number) for number in ids]
        self.table.update(zip(numbers, codes.unpack(), strict=True))
        self.next_id = max([self.next_id, *(number + 1 for number in numbers)])

    def remove(self, ids: Sequence[int] | NDArray[np.int64]) -> None:
        """Forget ``ids``."""
        for number in ids:
            del self.table[int(number)]

    def ranking(self, query: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return all ids and their distances in bits, sorted by (distance, id)."""
        ids = np.array(sorted(self.table), np.int64)
        bits = np.array([self.table[int(number)] for number in ids], np.bool_).reshape(len(ids), self.n_bits)
        distances = np.count_nonzero(bits != query, axis=1).astype(np.int32)
        order = np.argsort(distances, kind="stable")
        return ids[order], distances[order]

    def agree(self, index: Index, queries: Codes, *, ks: Sequence[int] = (1, 3, 50), why: str) -> None:
        """Raise AssertionError unless ``index`` answers ``queries`` as the oracle does."""
        rankings = [self.ranking(query) for query in queries.unpack()]
        _same(len(index), len(self.table), f"{why}: len")
        for k in (*ks, len(self.table) + 3):
            self._agree_on_k(index, queries, rankings, k, why)
        for radius in (0, self.n_bits // 3, self.n_bits, self.n_bits + 7):
            found = index.search_radius(queries, radius)
            _same(len(found), len(queries), f"{why}: one range a query")
            for (ids, distances), (true_ids, true_distances) in zip(found, rankings, strict=True):
                near = true_distances <= radius
                _same(ids, true_ids[near], f"{why}: ids within {radius} bits, sorted by (distance, id)")
                _same(distances, true_distances[near], f"{why}: distances within {radius} bits")

    def _agree_on_k(
        self,
        index: Index,
        queries: Codes,
        rankings: Sequence[tuple[NDArray[np.int64], NDArray[np.int32]]],
        k: int,
        why: str,
    ) -> None:
        found = index.search(queries, k)
        _same(found.ids.shape, (len(queries), k), f"{why}: shape of the results for k={k}")
        for (ids, distances), (true_ids, true_distances) in zip(found, rankings, strict=True):
            n_empty = max(0, k - len(true_ids))
            padded_ids = np.concatenate([true_ids[:k], np.full(n_empty, -1)])
            padded_distances = np.concatenate([true_distances[:k], np.full(n_empty, self.n_bits + 1, np.int32)])
            _same(ids, padded_ids, f"{why}: ids for k={k}, sorted by (distance, id), padded by -1")
            _same(distances, padded_distances, f"{why}: distances for k={k}, padded by n_bits + 1")


def check_empty(make: IndexFactory, n_bits: int, rng: np.random.Generator) -> None:
    """An empty index answers, with nothing; an empty batch of queries or codes is no error."""
    index, queries, none = make(n_bits), _random_codes(rng, 3, n_bits), _random_codes(rng, 0, n_bits)
    _same(index.n_bits, n_bits, "n_bits is the width asked for")
    Oracle(n_bits).agree(index, queries, why="empty index")
    _same(index.add(none) is index, True, "add returns the index")
    _same(index.remove([]), 0, "removing nothing removes 0")
    Oracle(n_bits).agree(index, none, why="empty batch of queries")


def check_random(make: IndexFactory, n_bits: int, rng: np.random.Generator) -> None:
    """Random codes, added in batches that cross blocks, are found as by counting."""
    index, oracle = make(n_bits), Oracle(n_bits)
    for n in (1, 2, 509, 1, 700):
        codes = _random_codes(rng, n, n_bits)
        oracle.add(codes, range(len(index), len(index) + n))
        index.add(codes)
        oracle.agree(index, _random_codes(rng, 3, n_bits), why=f"{len(index)} random codes")


def check_ties(make: IndexFactory, n_bits: int, rng: np.random.Generator) -> None:
    """Equal distances come in id order, also where ids and places in memory do not agree."""
    index, oracle = make(n_bits), Oracle(n_bits)
    codes = Codes(np.repeat(_random_codes(rng, 2, n_bits).packed, 600, axis=0), n_bits)
    ids = rng.permutation(5000)[: len(codes)]
    index.add(codes, ids=ids)
    oracle.add(codes, ids)
    oracle.agree(index, codes[[0, -1]], why="many equal codes under shuffled ids")


def check_ids(make: IndexFactory, n_bits: int, rng: np.random.Generator) -> None:
    """Own ids and counted ones mix; counting goes on after the largest id ever given."""
    index, oracle = make(n_bits), Oracle(n_bits)
    for ids, expected in (
        (None, range(4)),
        ([100, 7, 2**40], [100, 7, 2**40]),
        (None, range(2**40 + 1, 2**40 + 4)),
        ([5], [5]),
    ):
        codes = _random_codes(rng, len(expected), n_bits)
        index.add(codes, ids=ids)
        oracle.add(codes, expected)
    index.remove([2**40 + 3])
    oracle.remove([2**40 + 3])
    codes = _random_codes(rng, 1, n_bits)
    index.add(codes)
    oracle.add(codes, [2**40 + 4])
    oracle.agree(index, _random_codes(rng, 4, n_bits), why="own ids and counted ids")


def check_removal(make: IndexFactory, n_bits: int, rng: np.random.Generator) -> None:
    """Removed codes are never found, their ids can be given anew, and the rest stays as it was."""
    index, oracle = make(n_bits), Oracle(n_bits)
    codes, queries = _random_codes(rng, 1300, n_bits), _random_codes(rng, 3, n_bits)
    index.add(codes)
    oracle.add(codes, range(1300))
    for n_removed in (1, 99, 800, 300):
        gone = rng.permutation(np.array(sorted(oracle.table), np.int64))[:n_removed]
        _same(index.remove(gone), n_removed, "remove returns how many there were")
        oracle.remove(gone)
        oracle.agree(index, queries, why=f"{n_removed} more removed")
        again = codes[gone[:5]]
        index.add(again, ids=gone[:5])
        oracle.add(again, gone[:5])
        oracle.agree(index, queries, why="removed ids given anew")
    rest = np.array(sorted(oracle.table), np.int64)
    index.remove(rest)
    oracle.remove(rest)
    oracle.agree(index, queries, why="all removed")


def check_refusals(make: IndexFactory, n_bits: int, rng: np.random.Generator) -> None:
    """Wrong input is refused with an error of hammingway, and changes nothing."""
    index, oracle, codes = make(n_bits), Oracle(n_bits), _random_codes(rng, 5, n_bits)
    index.add(codes, ids=[1, 2, 3, 4, 9])
    oracle.add(codes, [1, 2, 3, 4, 9])
    wide, two = _random_codes(rng, 2, n_bits + 1), codes[:2]
    for error, rule, call in (
        (CodeWidthError, "add codes of another width", lambda: index.add(wide)),
        (CodeWidthError, "search with codes of another width", lambda: index.search(wide, 1)),
        (CodeWidthError, "search_radius with codes of another width", lambda: index.search_radius(wide, 1)),
        (InvalidInputError, "an id given twice", lambda: index.add(two, ids=[20, 20])),
        (InvalidInputError, "an id in the index already", lambda: index.add(two, ids=[20, 9])),
        (InvalidInputError, "a negative id", lambda: index.add(two, ids=[20, -1])),
        (InvalidInputError, "an id that is no integer", lambda: index.add(two, ids=[20.5, 21.0])),
        (ShapeError, "fewer ids than codes", lambda: index.add(two, ids=[20])),
        (InvalidInputError, "k below 1", lambda: index.search(two, 0)),
        (InvalidInputError, "a negative radius", lambda: index.search_radius(two, -1)),
        (InvalidInputError, "removal of an unknown id", lambda: index.remove([1, 77])),
    ):
        with _refused(error, rule):
            call()
    oracle.agree(index, codes, why="after refused calls")


def check_saving(make: IndexFactory, n_bits: int, rng: np.random.Generator) -> None:
    """A loaded index answers and counts on as the saved one, and a damaged file is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        index, oracle = make(n_bits), Oracle(n_bits)
        for ids, n in ((None, 0), (None, 600), (list(range(10_000, 9_980, -1)), 20)):
            codes = _random_codes(rng, n, n_bits)
            numbers = ids or list(range(len(index), len(index) + n))
            index.add(codes, ids=ids)
            oracle.add(codes, numbers)
            _check_saved(index, oracle, path, rng)
        gone = [*range(1, 580), 10_000]
        index.remove(gone)
        oracle.remove(gone)
        _check_saved(index, oracle, path, rng)
        whole = path.read_bytes()
        for damaged in (b"", whole[: len(whole) // 2], whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1])):
            path.write_bytes(damaged)
            with _refused(FileFormatError, "a damaged file"):
                type(index).load(path)


CHECKS = (check_empty, check_random, check_ties, check_ids, check_removal, check_refusals, check_saving)
"""The rules, each a function of (make, n_bits, rng) that raises AssertionError where it is broken."""


def _check_saved(index: Index, oracle: Oracle, path: Path, rng: np.random.Generator) -> None:
    index.save(path)
    loaded = type(index).load(path)
    queries = _random_codes(rng, 3, index.n_bits)
    oracle.agree(loaded, queries, why="loaded index")
    more, next_id = _random_codes(rng, 2, index.n_bits), oracle.next_id
    loaded.add(more)
    grown = Oracle(oracle.n_bits, dict(oracle.table))
    grown.add(more, [next_id, next_id + 1])
    grown.agree(loaded, queries, why="loaded index that grew")


def _random_codes(rng: np.random.Generator, n: int, n_bits: int) -> Codes:
    return Codes.from_bits(rng.integers(0, 2, size=(n, n_bits), dtype=np.uint8))


def _same(actual: object, expected: object, rule: str) -> None:
    assert_array_equal(actual, expected, err_msg=f"index contract: {rule}", strict=isinstance(actual, np.ndarray))


@contextmanager
def _refused(error: type[Exception], rule: str) -> Iterator[None]:
    try:
        yield
    except error:
        return
    raise AssertionError(f"index contract: {rule} must be refused with {error.__name__}")
