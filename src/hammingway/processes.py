"""Which of the processes that work together this one is, by the environment that torchrun gives each."""

from __future__ import annotations

import os

__all__ = ["n_processes", "process_number"]


def n_processes() -> int:
    """Return how many processes were started together; 1 for one that was started alone."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def process_number() -> int:
    """Return the number of this process, from 0; the first is the one that prints and writes files."""
    return int(os.environ.get("RANK", "0")) if n_processes() > 1 else 0
