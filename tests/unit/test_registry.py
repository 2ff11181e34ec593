"""Names resolve through entry points; a slip gets a suggestion, a clash names both owners."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest

from hammingway import registry
from hammingway.errors import DuplicateNameError, InvalidInputError, UnknownNameError


@dataclass
class Distribution:
    name: str


def entry(name: str, value: str, distribution: str | None = None) -> EntryPoint:
    point = EntryPoint(name, value, "hammingway.hashers")
    if distribution is not None:
        vars(point)["dist"] = Distribution(distribution)
    return point


@pytest.fixture
def register(monkeypatch):
    """Replace the installed entry points by those handed over."""
    registry._table.cache_clear()

    def replace(*points):
        monkeypatch.setattr(
            registry, "entry_points", lambda *, group: [point for point in points if point.group == group]
        )

    yield replace
    registry._table.cache_clear()


def test_built_in_names_are_registered():
    assert {"lsh", "sign", "pcah", "pcar", "itq", "sh", "cca-itq"} <= set(registry.names("hashers"))
    assert registry.names("hashers") == sorted(registry.names("hashers"))


def test_registered_object_is_loaded(register):
    register(entry("mine", "collections:OrderedDict"))
    assert registry.names("hashers") == ["mine"]
    assert registry.load("hashers", "mine").__name__ == "OrderedDict"


def test_listing_names_imports_nothing(register):
    register(entry("broken", "no_such_module:Nothing"))
    assert registry.names("hashers") == ["broken"]


def test_unknown_name_gets_a_suggestion(register):
    register(entry("lsh", "a:A"), entry("itq", "b:B"))
    with pytest.raises(UnknownNameError, match=r"^No hashers named 'lhs'\. Did you mean 'lsh'\?$"):
        registry.load("hashers", "lhs")
    with pytest.raises(LookupError, match=r"Known: itq, lsh\."):
        registry.load("hashers", "zzzzzz")


def test_nothing_registered_says_so(register):
    register()
    with pytest.raises(UnknownNameError, match=r"None is registered\."):
        registry.load("hashers", "lsh")


def test_unknown_kind_gets_a_suggestion():
    with pytest.raises(InvalidInputError, match=r"No kind of name 'hasher'\. Did you mean 'hashers'\?"):
        registry.names("hasher")


def test_two_owners_of_one_name_are_both_named(register):
    register(entry("lsh", "ours:A", "hammingway"), entry("lsh", "theirs:B", "other-package"))
    with pytest.raises(DuplicateNameError, match=r"^hammingway and other-package both register hashers 'lsh'"):
        registry.names("hashers")


def test_owner_without_a_distribution_is_named_by_what_it_registers(register):
    register(entry("lsh", "ours:A"), entry("lsh", "theirs:B"))
    with pytest.raises(DuplicateNameError, match=r"^ours:A and theirs:B both register"):
        registry.load("hashers", "lsh")


def test_the_same_entry_seen_twice_is_no_clash(register):
    register(entry("lsh", "collections:OrderedDict", "x"), entry("lsh", "collections:OrderedDict", "x"))
    assert registry.load("hashers", "lsh").__name__ == "OrderedDict"
