"""Hash tables over codes in plain NumPy: what the native probing must give, number for number.

Rows are codes as words, uint64 (n, ceil(n_bits / 64)); see :mod:`hammingway.kernels.probing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Table", "lookup_top_k", "lookup_within", "probe_top_k", "probe_within"]

Answer = tuple[NDArray[Any], ...]


def keys_of(rows: NDArray[np.uint64], bits: Sequence[int]) -> NDArray[np.uint64]:
    """Return the key of each row, uint64 (n,): bit i is bit ``bits[i]`` of the code."""
    keys = np.zeros(len(rows), np.uint64)
    for place, bit in enumerate(bits):
        keys |= (rows[:, bit // 64] >> np.uint64(bit % 64) & np.uint64(1)) << np.uint64(place)
    return keys


class Table:
    """The slots from ``first`` to before ``last``, grouped by the key that ``bits`` make."""

    def __init__(self, rows: NDArray[np.uint64], bits: Sequence[int], first: int, last: int) -> None:
        self.bits = list(bits)
        self.first, self.last = first, last
        keys = keys_of(rows[first:last], bits)
        order = np.argsort(keys, kind="stable")
        self._keys, self._slots = keys[order], order + first

    @property
    def size_bytes(self) -> int:
        """Bytes of the table."""
        return self._keys.nbytes + self._slots.nbytes

    def find(self, key: int) -> NDArray[np.int64]:
        """Return the slots with this key, ascending."""
        wanted = np.uint64(key)
        start, stop = np.searchsorted(self._keys, wanted, "left"), np.searchsorted(self._keys, wanted, "right")
        return self._slots[start:stop]


@dataclass
class Codes:
    """The rows of an index, those of them that live, and what orders equal distances."""

    rows: NDArray[np.uint64]
    live: NDArray[np.uint64]
    ids: NDArray[np.int64] | None

    def is_live(self, slot: int) -> bool:
        return bool(int(self.live.reshape(-1)[slot // 64]) >> slot % 64 & 1)

    def distance(self, slot: int, query: NDArray[np.uint64]) -> int:
        return int(np.bitwise_count(self.rows[slot] ^ query).sum())

    def key(self, slot: int) -> int:
        return slot if self.ids is None else int(self.ids[slot])


@dataclass
class Kept:
    """The ``k`` best codes offered, or all within ``radius``."""

    k: int | None = None
    radius: int | None = None
    found: list[tuple[int, int, int]] = field(default_factory=list)

    def offer(self, distance: int, key: int, slot: int) -> None:
        if self.radius is None or distance <= self.radius:
            self.found = sorted([*self.found, (distance, key, slot)])[: self.k]

    @property
    def target(self) -> int | None:
        """The distance up to which everything must be compared; None while fewer than k codes are known."""
        if self.k is None:
            return self.radius
        return self.found[-1][0] if len(self.found) == self.k else None

    def is_finished(self, complete: int) -> bool:
        return self.target is not None and self.target <= complete


@dataclass
class Costs:
    """The cost model of a probing search; see :class:`hammingway.kernels.probing.Budget`."""

    probe: int
    candidate: int
    row: int
    attempt: int
    whole: int


class GivenUp(Exception):
    """The tables cost more than a scan may."""


@dataclass
class Prober:
    """One query on its way through the tables, in steps of growing radius.

    Step ``m * r + z`` probes table ``z`` at all keys ``r`` bits from the query's. A code at a
    distance of at most ``s`` differs from the query in at most ``s // m`` bits of one of the tables
    ``0 .. s % m``, or in fewer in another, so after step ``s`` everything within ``s`` was compared.
    """

    tables: Sequence[Table]
    codes: Codes
    query: NDArray[np.uint64]
    kept: Kept
    costs: Costs
    probes: int = 0
    candidates: int = 0
    spent: int = 0
    complete: int = -1

    def run(self) -> None:
        self.compare_tail()
        n_bits = sum(len(table.bits) for table in self.tables)
        while not self.kept.is_finished(self.complete) and self.complete < n_bits:
            step = self.complete + 1
            if self.spent + self.n_keys(step) * self.costs.probe > self.costs.attempt:
                self.run_to_the_end(step, [])
                return
            slots = self.probe(step)
            if self.spent + len(slots) * self.costs.candidate > self.costs.attempt:
                self.run_to_the_end(step + 1, [(step, slots)])
                return
            self.compare(step, slots)

    def run_to_the_end(self, step: int, ahead: list[tuple[int, list[int]]]) -> None:
        """Look up all that is left from ``step`` on, and compare it where that is cheaper than a scan."""
        target = self.kept.target
        if target is None:
            raise GivenUp
        keys = sum(self.n_keys(later) for later in range(step, target + 1))
        if self.spent + keys * self.costs.probe > 2 * self.costs.attempt:
            raise GivenUp
        ahead += [(later, self.probe(later)) for later in range(step, target + 1)]
        if self.spent + sum(len(found) for _, found in ahead) * self.costs.candidate > self.costs.whole:
            raise GivenUp
        for later, found in ahead:
            if self.kept.is_finished(self.complete):
                return
            self.compare(later, found)

    def probe(self, step: int) -> list[int]:
        """Return the slots of all keys of a step."""
        radius, table = divmod(step, len(self.tables))
        bits = self.tables[table].bits
        self.spent += self.n_keys(step) * self.costs.probe
        self.probes += self.n_keys(step)
        key = int(keys_of(self.query[None], bits)[0])
        return [int(slot) for mask in flips(len(bits), radius) for slot in self.tables[table].find(key ^ mask)]

    def n_keys(self, step: int) -> int:
        radius, table = divmod(step, len(self.tables))
        return comb(len(self.tables[table].bits), radius)

    def compare(self, step: int, slots: list[int]) -> None:
        self.spent += len(slots) * self.costs.candidate
        self.candidates += len(slots)
        for slot in slots:
            if self.codes.is_live(slot) and self.first_step_of(slot) == step:
                self.kept.offer(self.codes.distance(slot, self.query), self.codes.key(slot), slot)
        self.complete = step

    def compare_tail(self) -> None:
        tail = range(self.tables[0].last, len(self.codes.rows))
        self.spent += len(tail) * self.costs.row
        if self.spent > self.costs.attempt:
            raise GivenUp
        self.candidates += len(tail)
        for slot in tail:
            if self.codes.is_live(slot):
                self.kept.offer(self.codes.distance(slot, self.query), self.codes.key(slot), slot)

    def first_step_of(self, slot: int) -> int:
        """Return the step that comes upon a code first, so that it is taken once."""
        return min(
            int(np.bitwise_count(keys_of((self.codes.rows[slot] ^ self.query)[None], table.bits))[0]) * len(self.tables)
            + number
            for number, table in enumerate(self.tables)
        )


def probe_top_k(
    tabled: tuple[Any, ...],
    queries: NDArray[np.uint64],
    k: int,
    *,
    costs: tuple[int, int, int, int, int],
    n_threads: int,
) -> Answer:
    """Find the k nearest; see :meth:`hammingway.kernels.probing.NativeProbing.probe_top_k`."""
    return _as_table(_probe_all(tabled, queries, lambda: Kept(k=k), costs), k)


def probe_within(
    tabled: tuple[Any, ...],
    queries: NDArray[np.uint64],
    radius: int,
    *,
    costs: tuple[int, int, int, int, int],
    n_threads: int,
) -> Answer:
    """Find all within a radius; see :meth:`hammingway.kernels.probing.NativeProbing.probe_within`."""
    return _as_list(_probe_all(tabled, queries, lambda: Kept(radius=radius), costs))


def lookup_top_k(
    tabled: tuple[Any, ...],
    queries: NDArray[np.uint64],
    k: int,
    *,
    weights: NDArray[np.float64] | None,
    limits: tuple[int, int, int],
    n_threads: int,
) -> Answer:
    """Find the k nearest of some buckets; see :meth:`hammingway.kernels.probing.NativeProbing.lookup_top_k`."""
    return _as_table(_look_up_all(tabled, queries, lambda: Kept(k=k), weights, limits), k)


def lookup_within(
    tabled: tuple[Any, ...],
    queries: NDArray[np.uint64],
    radius: int,
    *,
    weights: NDArray[np.float64] | None,
    limits: tuple[int, int, int],
    n_threads: int,
) -> Answer:
    """Find what some buckets hold within a radius; see :meth:`hammingway.kernels.probing.NativeProbing`."""
    return _as_list(_look_up_all(tabled, queries, lambda: Kept(radius=radius), weights, limits))


def flips(n_bits: int, radius: int) -> list[int]:
    """Return the masks of ``radius`` out of ``n_bits`` bits, ascending."""
    return sorted(sum(1 << bit for bit in chosen) for chosen in combinations(range(n_bits), radius))


def by_distance(n_bits: int, max_radius: int) -> Iterator[int]:
    """Yield the masks of up to ``max_radius`` flipped bits: fewer first, then in ascending order."""
    for radius in range(min(n_bits, max_radius) + 1):
        yield from flips(n_bits, radius)


def by_confidence(weights: NDArray[np.float64], max_radius: int) -> Iterator[int]:
    """Yield the masks of up to ``max_radius`` flipped bits in increasing order of the flipped bits' weight.

    The heap of query-directed probing (Lv et al., Multi-Probe LSH, 2007, section 4.4): a set of the
    sorted weights is followed by the one with its last element moved up and the one with one more,
    so that each set comes once. Equal sums are ordered by the set's mask in sorted order.
    """
    order = np.argsort(weights, kind="stable")
    heap: list[tuple[float, int]] = [(0.0, 0)]
    while heap:
        _, places = heappop(heap)
        yield sum(1 << int(order[place]) for place in range(len(order)) if places >> place & 1)
        last = places.bit_length() - 1
        if last + 1 == len(order):
            continue
        longer, moved = places | 1 << last + 1, (places ^ 1 << last | 1 << last + 1) if places else None
        for more in (longer, moved):
            if more is not None and more.bit_count() <= max_radius:
                total = 0.0
                for place in range(len(order)):
                    total += float(weights[order[place]]) if more >> place & 1 else 0.0
                heappush(heap, (total, more))


@dataclass
class Found:
    """What became of one query."""

    kept: Kept
    radius: int
    probes: int
    candidates: int


def _probe_all(
    tabled: tuple[Any, ...],
    queries: NDArray[np.uint64],
    keep: Callable[[], Kept],
    costs: tuple[int, int, int, int, int],
) -> list[Found]:
    tables, *arrays = tabled
    codes = Codes(*arrays)
    answers = []
    for query in queries:
        prober = Prober(tables, codes, query, keep(), Costs(*costs))
        try:
            prober.run()
        except GivenUp:
            answers.append(Found(Kept(), -1, prober.probes, prober.candidates))
        else:
            answers.append(Found(prober.kept, prober.complete, prober.probes, prober.candidates))
    return answers


def _look_up_all(
    tabled: tuple[Any, ...],
    queries: NDArray[np.uint64],
    keep: Callable[[], Kept],
    weights: NDArray[np.float64] | None,
    limits: tuple[int, int, int],
) -> list[Found]:
    max_radius, max_probes, max_candidates = limits
    tables, *arrays = tabled
    codes = Codes(*arrays)
    answers = []
    for number, query in enumerate(queries):
        bits = tables[0].bits
        masks = by_distance(len(bits), max_radius) if weights is None else by_confidence(weights[number], max_radius)
        answers.append(_look_up(tables, codes, query, keep(), masks, (max_probes, max_candidates)))
    return answers


def _look_up(
    tables: Sequence[Table],
    codes: Codes,
    query: NDArray[np.uint64],
    kept: Kept,
    masks: Iterator[int],
    limits: tuple[int, int],
) -> Found:
    bits = tables[0].bits
    key = int(keys_of(query[None], bits)[0])
    done = [0] * (len(bits) + 1)
    answer = Found(kept, -1, 0, 0)
    for mask in masks:
        if answer.probes == limits[0]:
            break
        answer.probes += 1
        for slot in (int(each) for table in tables for each in table.find(key ^ mask)):
            if not codes.is_live(slot):
                continue
            if answer.candidates == limits[1]:
                return answer
            answer.candidates += 1
            kept.offer(codes.distance(slot, query), codes.key(slot), slot)
        done[mask.bit_count()] += 1
        while answer.radius < len(bits) and done[answer.radius + 1] == comb(len(bits), answer.radius + 1):
            answer.radius += 1
        if kept.is_finished(answer.radius):
            break
    return answer


def _as_table(answers: list[Found], k: int) -> Answer:
    slots = np.full((len(answers), k), -1, np.int64)
    distances = np.full((len(answers), k), -1, np.int32)
    for row, answer in enumerate(answers):
        n = len(answer.kept.found)
        slots[row, :n] = [slot for _, _, slot in answer.kept.found]
        distances[row, :n] = [distance for distance, _, _ in answer.kept.found]
    return slots, distances, *_efforts(answers)


def _as_list(answers: list[Found]) -> Answer:
    found = [each for answer in answers for each in answer.kept.found]
    slots = np.array([slot for _, _, slot in found], np.int64)
    distances = np.array([distance for distance, _, _ in found], np.int32)
    offsets = np.cumsum([0, *(len(answer.kept.found) for answer in answers)], dtype=np.int64)
    return slots, distances, offsets, *_efforts(answers)


def _efforts(answers: list[Found]) -> Answer:
    return (
        np.array([answer.radius for answer in answers], np.int32),
        np.array([answer.probes for answer in answers], np.int64),
        np.array([answer.candidates for answer in answers], np.int64),
    )
