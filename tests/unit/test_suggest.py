"""The second half of an 'unknown name' message."""

from __future__ import annotations

from hammingway.suggest import did_you_mean


def test_several_near_names_are_all_offered():
    assert did_you_mean("pca", ["pcah", "pcar", "itq"]) == "Did you mean 'pcar' or 'pcah'?"


def test_far_name_lists_what_is_known_in_order():
    assert did_you_mean("zzz", iter(["lsh", "itq"])) == "Known: itq, lsh."


def test_nothing_known_says_so():
    assert did_you_mean("lsh", []) == "None is registered."
