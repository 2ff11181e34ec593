"""Randomness by name: each draw of a run has a seed of its own, derived from the run's.

Nothing is carried from one step to the next, so a resumed run draws what the interrupted one would have drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["generator", "seed_for", "seeded"]


def seed_for(seed: int, *purpose: str | int) -> int:
    """Return a number in [0, 2**63) that depends on every argument.

    Examples
    --------
    >>> seed_for(0, "order", 1) == seed_for(0, "order", 2)
    False
    """
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """Return a generator on the CPU, seeded for this purpose."""
    return torch.Generator().manual_seed(seed_for(seed, *purpose))


@contextmanager
def seeded(seed: int, *purpose: str | int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's default generators for this purpose; on leaving they are as they were.

    Parameters
    ----------
    device : the GPU whose generator is seeded too, if it is one.
    """
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        # Not torch.manual_seed: without a GPU it keeps every call, with its traceback, for a GPU that may come.
        torch.default_generator.manual_seed(seed_for(seed, *purpose))
        for each in devices:
            with torch.cuda.device(each):
                torch.cuda.manual_seed(seed_for(seed, *purpose))
        yield
