"""What every test shares: property tests that draw the same examples in every run."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: on a busy machine one example may wait for a core. Derandomised: a failure repeats.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
# The fuzz tests draw a hundred times as many examples: HYPOTHESIS_PROFILE=slow pytest tests/fuzz
settings.register_profile("slow", parent=settings.get_profile("repeatable"), print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
