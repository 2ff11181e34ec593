"""Errors survive a trip to another process and are caught by what their callers expect."""

from __future__ import annotations

import pickle

import pytest

from hammingway import errors
from hammingway.errors import MissingExtraError, RefusedError
from hammingway.extras import install_command


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_a_hammingway_error_with_a_docstring(name):
    kind = getattr(errors, name)
    assert issubclass(kind, errors.HammingwayError)
    assert kind.__doc__.strip().endswith(".")


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name not in ("MissingExtraError", "RefusedError")])
def test_error_keeps_its_message_between_processes(name):
    error = pickle.loads(pickle.dumps(getattr(errors, name)("n_bits must be 1; got 2.")))  # noqa: S301
    assert type(error).__name__ == name
    assert str(error) == "n_bits must be 1; got 2."


def test_missing_extra_names_the_command_that_helps():
    error = MissingExtraError("Reading parquet", "data")
    assert isinstance(error, ImportError)
    assert str(error) == (
        f"Reading parquet needs the extra hammingway[data]; install it by: {install_command('data')}."
    )


def test_missing_extra_keeps_message_and_extra_between_processes():
    before = MissingExtraError("Reading parquet", "data")
    after = pickle.loads(pickle.dumps(before))  # noqa: S301
    assert type(after) is MissingExtraError
    assert (str(after), after.extra) == (str(before), "data")


def test_refusal_keeps_fault_and_remedy_between_processes():
    before = RefusedError("ids 3 already in the collection", "upsert replaces items")
    after = pickle.loads(pickle.dumps(before))  # noqa: S301
    assert type(after) is RefusedError
    assert str(after) == str(before) == "ids 3 already in the collection; upsert replaces items."
    assert (after.fault, after.remedy) == (before.fault, before.remedy)
