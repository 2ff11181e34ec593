"""Every registered hasher keeps the package's contract and scikit-learn's."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from hammingway import registry
from hammingway.testing.hashers import HASHER_CHECKS, check_hasher, sample

NAMES = registry.names("hashers")


def hasher(name, n_bits=None):
    """Return a hasher by name, of ``n_bits`` bits or else its default."""
    kind = registry.load("hashers", name)
    return kind(random_state=0) if n_bits is None else kind(n_bits, random_state=0)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9])
@pytest.mark.parametrize("check", HASHER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_hasher_keeps_the_contract(name, check, n_bits):
    check(hasher(name, n_bits), sample())


@pytest.mark.parametrize("n_bits", [63, 64, 65])
@pytest.mark.parametrize("name", NAMES)
def test_hasher_keeps_the_contract_around_a_word(name, n_bits):
    check_hasher(hasher(name, n_bits), sample(n_features=70))


# scikit-learn's data sets have as few as two features, and hashers on principal directions no more bits than features.
@parametrize_with_checks([hasher(name, n_bits) for name in NAMES for n_bits in (1, 2)])
def test_hasher_passes_scikit_learns_checks(estimator, check):
    check(estimator)
