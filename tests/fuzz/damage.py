"""Ways in which a file goes bad, as hypothesis draws them: flips, cuts, blocks out of place, absurd numbers."""

from __future__ import annotations

import os
import random
import re
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from hammingway.errors import HammingwayError

SLOW = os.environ.get("HYPOTHESIS_PROFILE") == "slow"
"""Whether a hundred times as many examples are asked for."""

MOST_BYTES = 48 << 20
"""What reading a damaged file of a few kilobytes may allocate."""

EXTREMES = (0, 1, -1, 127, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, -(2**31), 2**62, 2**63 - 1, -(2**63))
LONG_NUMBERS = (b"-1", b"0", b"4294967296", b"9223372036854775807", b"9223372036854775808", b"1" + b"0" * 400, b"1e308")
_DIGITS = re.compile(rb"\d+")

Edit = tuple[str, str, int, int]


def examples(n: int) -> Any:
    """Return settings for ``n`` examples, in the slow profile a hundred times as many."""
    return settings(
        max_examples=n * (100 if SLOW else 1),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def _place(content: bytearray, region: str, number: int) -> int:
    """Return a place in the head, the tail or anywhere; formats keep what matters most at either end."""
    if region == "head":
        return number % max(1, min(len(content), 192))
    if region == "tail":
        return max(0, len(content) - 1 - number % max(1, min(len(content), 256)))
    return number % max(1, len(content))


def _flip(content: bytearray, at: int, number: int) -> None:
    if content:
        content[at] ^= 1 << number % 8


def _set_byte(content: bytearray, at: int, number: int) -> None:
    content[at : at + 1] = bytes([number % 256])


def _cut(content: bytearray, at: int, number: int) -> None:
    del content[at:]


def _drop(content: bytearray, at: int, number: int) -> None:
    del content[at : at + 1 + number % 96]


def _insert(content: bytearray, at: int, number: int) -> None:
    content[at:at] = random.Random(number).randbytes(1 + number % 64)  # noqa: S311


def _append(content: bytearray, at: int, number: int) -> None:
    content += random.Random(number).randbytes(1 + number % 64)  # noqa: S311


def _repeat(content: bytearray, at: int, number: int) -> None:
    content[at:at] = content[at : at + 1 + number % 256]


def _swap(content: bytearray, at: int, number: int) -> None:
    length, other = 1 + number % 64, number // 64 % max(1, len(content))
    first, second = content[at : at + length], content[other : other + length]
    if len(first) == len(second) and abs(at - other) >= length:
        content[at : at + length], content[other : other + length] = second, first


def _blank(content: bytearray, at: int, number: int) -> None:
    end = min(len(content), at + 1 + number % 512)
    content[at:end] = bytes(end - at)


def _extreme(content: bytearray, at: int, number: int) -> None:
    width = (2, 4, 8)[number % 3]
    value = EXTREMES[number // 3 % len(EXTREMES)] % 2 ** (8 * width)
    packed = value.to_bytes(width, ("little", "big")[number // 64 % 2])
    content[at : at + width] = packed


def _extreme_float(content: bytearray, at: int, number: int) -> None:
    value = (float("nan"), float("inf"), -1.0, 1e308, 5e-324)[number % 5]
    content[at : at + 8] = struct.pack("<d", value)


def _number(content: bytearray, at: int, number: int) -> None:
    """Put an absurd number where digits stand, as in a header of text."""
    runs = list(_DIGITS.finditer(content))
    if runs:
        run = runs[at % len(runs)]
        content[run.start() : run.end()] = LONG_NUMBERS[number % len(LONG_NUMBERS)]


def _empty(content: bytearray, at: int, number: int) -> None:
    content.clear()


_EDITS: dict[str, Callable[[bytearray, int, int], None]] = {
    "flip": _flip, "byte": _set_byte, "cut": _cut, "drop": _drop, "insert": _insert, "append": _append,
    "repeat": _repeat, "swap": _swap, "blank": _blank, "extreme": _extreme, "float": _extreme_float,
    "number": _number, "empty": _empty,
}  # fmt: skip
_COMMON = ["flip", "byte", "extreme", "number", "cut", "drop", "insert", "swap"]

edits: st.SearchStrategy[list[Edit]] = st.lists(
    st.tuples(
        st.sampled_from(_COMMON * 2 + sorted(_EDITS)),
        st.sampled_from(["head", "tail", "anywhere"]),
        st.integers(0, 2**24),
        st.integers(0, 2**32),
    ),
    min_size=1,
    max_size=3,
)


def damaged(content: bytes, changes: list[Edit]) -> bytes:
    """Return ``content`` after ``changes``."""
    changed = bytearray(content)
    for kind, region, place, number in changes:
        _EDITS[kind](changed, _place(changed, region, place), number)
    return bytes(changed)


@contextmanager
def little_memory() -> Iterator[None]:
    """Fail where more is allocated than a small file can need."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MOST_BYTES, f"{peak} bytes were allocated"


def read_or_refuse(read: Callable[[Path], Any], path: Path) -> Any:
    """Return what ``read`` gives, or None where it refuses the file by an error of ours that names it."""
    with little_memory():
        try:
            return read(path)
        except HammingwayError as error:
            assert str(path) in str(error), f"the message does not name the file: {error}"
            return None
