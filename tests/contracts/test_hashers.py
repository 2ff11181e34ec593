"""Every registered hasher keeps the package's contract and scikit-learn's."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from hammingway import registry
from hammingway.testing.hashers import (
    HASHER_CHECKS,
    check_code_depends_on_its_row_alone,
    check_hasher,
    sample,
)

NAMES = registry.names("hashers")
DEEP = [entry.name for entry in entry_points(group="hammingway.hashers") if entry.module.startswith("hammingway.deep.")]
CLASSIC = [name for name in NAMES if name not in DEEP]
METHODS = [name for name in DEEP if name not in ("deep", "dsh")]
"""Deep hashers that differ from those two in their objective and defaults alone: checked in full only on demand."""

BUDGETS = {"distilled": {"n_steps": 5}}


def hasher(name, n_bits=None):
    """Return a hasher by name, of ``n_bits`` bits or else its default; a deep one that is trained for one epoch."""
    kind = registry.load("hashers", name)
    budget = {"training": {"epochs": 1}} if name in DEEP else BUDGETS.get(name, {})
    return kind(random_state=0, **budget) if n_bits is None else kind(n_bits, random_state=0, **budget)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9])
@pytest.mark.parametrize("check", HASHER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CLASSIC)
def test_hasher_keeps_the_contract(name, check, n_bits):
    check(hasher(name, n_bits), sample())


@pytest.mark.parametrize("name", METHODS)
def test_code_of_every_deep_method_depends_on_its_row_alone(name):
    check_code_depends_on_its_row_alone(hasher(name, 9), sample())


@pytest.mark.parametrize("check", HASHER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in METHODS else name for name in DEEP]
)
def test_deep_hasher_keeps_the_contract(name, check):
    check(hasher(name, 9), sample())


@pytest.mark.parametrize("n_bits", [63, 64, 65])
@pytest.mark.parametrize("name", CLASSIC)
def test_hasher_keeps_the_contract_around_a_word(name, n_bits):
    check_hasher(hasher(name, n_bits), sample(n_features=70))


@pytest.mark.parametrize("metric", ["euclidean", "inner-product"])
@pytest.mark.parametrize("name", ["itq", "lsh", "pcah", "pcar", "sign"])
def test_hasher_with_a_norm_correction_keeps_the_contract(name, metric):
    check_hasher(registry.load("hashers", name)(9, random_state=0, norm_correction=metric), sample())


# scikit-learn's data sets have as few as two features, and hashers on principal directions no more bits than features.
@parametrize_with_checks(
    [hasher(name, n_bits) for name in CLASSIC for n_bits in (1, 2)]
    + [hasher(name, 2) for name in DEEP if name not in METHODS]
)
def test_hasher_passes_scikit_learns_checks(estimator, check):
    check(estimator)


# Of 2 bits, trained for an epoch on 10 rows, all may well be equal; of 16 hardly.
@pytest.mark.slow
@parametrize_with_checks([hasher(name, 16) for name in METHODS])
def test_deep_method_passes_scikit_learns_checks(estimator, check):
    check(estimator)
