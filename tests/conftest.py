"""What every test shares: Ctrl-C that counts, and property tests that draw the same examples in every run."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

# No deadline: on a busy machine one example may wait for a core. Derandomised: a failure repeats.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
# The fuzz tests draw a hundred times as many examples: HYPOTHESIS_PROFILE=slow pytest tests/fuzz
settings.register_profile("slow", parent=settings.get_profile("repeatable"), print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """Let Ctrl-C count also where the tests run in the background, for which a shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
