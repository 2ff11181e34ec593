"""What every test shares: property tests that draw the same examples in every run."""

from __future__ import annotations

from hypothesis import settings

# No deadline: on a busy machine one example may wait for a core. Derandomised: a failure repeats.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")
