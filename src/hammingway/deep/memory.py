"""What no memory holds is refused in a sentence; torch has no class of error for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from hammingway.errors import ConfigError

__all__ = ["refuse_beyond_memory", "refusing_what_no_memory_holds"]

_SAID_OF_SIZE = ("can't allocate memory", "overflowed", "Overflow", "out of memory")


@contextmanager
def refusing_what_no_memory_holds(what: str) -> Iterator[None]:
    """Turn what torch raises at widths like 10**12 into a ConfigError; ``what`` begins it."""
    try:
        yield
    except (RuntimeError, TypeError) as error:
        if not any(said in str(error) for said in _SAID_OF_SIZE):
            raise
        raise _too_large(what) from error


def refuse_beyond_memory(what: str, module: nn.Module) -> None:
    """Raise ConfigError if the weights of a module on the device 'meta' would take more than the machine's memory."""
    if not hasattr(os, "sysconf"):  # Windows does not tell
        return
    n_bytes = sum(weights.numel() * weights.element_size() for weights in module.parameters())
    if n_bytes > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"):
        raise _too_large(what)


def _too_large(what: str) -> ConfigError:
    return ConfigError(f"{what} is too large for memory with these options; take smaller ones.")
