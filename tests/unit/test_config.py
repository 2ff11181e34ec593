"""Configurations are strict: every slip is an error that names the place and the remedy."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Annotated

import msgspec
import pytest

from hammingway.config import Config, fingerprint, from_mapping, read_toml, set_at, to_mapping
from hammingway.errors import ConfigError


class Hash(Config):
    name: str
    n_bits: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 64


class Scan(Config, tag_field="kind", tag="scan"):
    n_threads: int = 1


class Plan(Config):
    seed: int = 0
    tolerance: float = 0.5
    main: Hash | None = None
    hashes: tuple[Hash, ...] = ()
    listed: list[Hash] = msgspec.field(default_factory=list)
    named: dict[str, Hash] = msgspec.field(default_factory=dict)
    bounded: Annotated[list[Hash], msgspec.Meta(max_length=2)] = msgspec.field(default_factory=list)
    scan: Scan = Scan()


def test_values_arrive():
    plan = from_mapping(Plan, {"seed": 3, "main": {"name": "itq"}, "hashes": [{"name": "lsh", "n_bits": 9}]})
    assert plan == Plan(seed=3, main=Hash(name="itq"), hashes=(Hash(name="lsh", n_bits=9),))


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"main": {"name": "itq", "n_bit": 8}}, "configuration, main"),
        ({"hashes": [{"name": "a"}, {"name": "b", "n_bit": 8}]}, r"configuration, hashes\[1\]"),
        ({"listed": [{"n_bit": 8}]}, r"configuration, listed\[0\]"),
        ({"bounded": [{"n_bit": 8}]}, r"configuration, bounded\[0\]"),
        ({"named": {"first": {"n_bit": 8}}}, r"configuration, named\.first"),
    ],
)
def test_unknown_nested_key_is_named_with_its_place_and_a_suggestion(values, place):
    with pytest.raises(ConfigError, match=rf"^{place} has an unknown key 'n_bit'\. Did you mean 'n_bits'\?$"):
        from_mapping(Plan, values)


def test_unknown_top_key_far_from_all_lists_what_is_known():
    with pytest.raises(ConfigError, match=r"unknown key 'zzz'\. Known: bounded, hashes, listed, main, named"):
        from_mapping(Plan, {"zzz": 1})


def test_tag_of_a_tagged_configuration_is_no_unknown_key():
    assert from_mapping(Plan, {"scan": {"kind": "scan", "n_threads": 2}}).scan.n_threads == 2
    with pytest.raises(ConfigError, match=r"unknown key 'n_thread'\. Did you mean 'n_threads'"):
        from_mapping(Plan, {"scan": {"kind": "scan", "n_thread": 2}})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": "3"}, "configuration, seed: expected 'int', got 'str'"),
        ({"seed": 1.5}, "configuration, seed: expected 'int', got 'float'"),
        ({"main": {"name": "itq", "n_bits": 0}}, "configuration, main.n_bits: expected 'int' >= 1"),
        ({"main": {"n_bits": 8}}, "configuration, main: object missing required field 'name'"),
        ({"main": 7}, "configuration, main: expected .*, got 'int'"),
        ({"hashes": {"name": "itq"}}, "configuration, hashes: expected 'array', got 'object'"),
    ],
)
def test_wrong_type_or_range_names_the_place(values, message):
    with pytest.raises(ConfigError, match=message):
        from_mapping(Plan, values)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize(
    ("values", "place"),
    [
        (lambda number: {"tolerance": number}, "tolerance"),
        (lambda number: {"named": {"first": {"name": number}}}, r"named\.first\.name"),
        (lambda number: {"hashes": [{"name": "a"}, {"name": "b", "n_bits": number}]}, r"hashes\[1\]\.n_bits"),
    ],
)
def test_number_that_is_not_finite_is_refused_by_its_place(values, place, value):
    with pytest.raises(ConfigError, match=rf"^configuration, {place} is {value}; give a finite number\.$"):
        from_mapping(Plan, values(value))


@pytest.mark.parametrize("levels", [65, 3000])
@pytest.mark.parametrize(
    ("wrapped", "shown"),
    [(lambda value: {"a": value}, r"main\.a\.a\.a"), (lambda value: [value], r"main\[0\]\[0\]")],
)
def test_values_nested_without_end_are_refused(wrapped, shown, levels):
    value = 1
    for _ in range(levels):
        value = wrapped(value)
    with pytest.raises(ConfigError, match=rf"^configuration, {shown}.* is nested deeper than 64 levels"):
        from_mapping(Plan, {"main": value})


def test_path_of_too_many_names_is_refused():
    with pytest.raises(ConfigError, match=r"^a path has at most 64 names; 'a\.a\..*\.\.\.' has 3000\.$"):
        set_at({}, ".".join(["a"] * 3000), 1)


def test_configuration_cannot_be_changed():
    with pytest.raises(AttributeError):
        Plan().seed = 4


def test_toml_is_read(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('seed = 5\n[main]\nname = "itq"\n[[hashes]]\nname = "lsh"\n')
    assert read_toml(Plan, path) == Plan(seed=5, main=Hash(name="itq"), hashes=(Hash(name="lsh"),))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"seed = ", r"plan\.toml is not valid TOML: Invalid value"),
        (b"\xff\xfe", r"plan\.toml is not valid TOML"),
        (b"sede = 1", r"plan\.toml has an unknown key 'sede'\. Did you mean 'seed'"),
        (b"seed = 'x'", r"plan\.toml, seed: expected 'int', got 'str'"),
        (b"[main]\nn_bits = nan", r"plan\.toml, main\.n_bits is nan"),
    ],
)
def test_unusable_toml_names_the_file(tmp_path, content, message):
    (tmp_path / "plan.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_toml(Plan, tmp_path / "plan.toml")


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_unreadable_file_says_why(tmp_path, name):
    with pytest.raises(ConfigError, match="cannot be read: "):
        read_toml(Plan, tmp_path / name)


def test_mapping_and_back_is_the_same():
    plan = Plan(seed=2, main=Hash(name="itq"), hashes=(Hash(name="lsh"),), named={"x": Hash(name="sh")})
    assert from_mapping(Plan, to_mapping(plan)) == plan


def test_fingerprint_depends_on_values_only():
    one = fingerprint(Plan(named={"a": Hash(name="x"), "b": Hash(name="y")}))
    assert fingerprint(Plan(named={"b": Hash(name="y"), "a": Hash(name="x")})) == one
    changed = [
        Plan(),
        Plan(seed=1),
        Plan(tolerance=0.25),
        Plan(hashes=(Hash(name="x"),)),
        Plan(listed=[Hash(name="x")]),
    ]
    assert len({fingerprint(plan) for plan in changed} | {one}) == len(changed) + 1


def test_fingerprint_is_the_same_in_another_process():
    code = (
        "from hammingway.config import Config, fingerprint\n"
        "class Hash(Config):\n    name: str\n    n_bits: int = 64\n"
        "print(fingerprint(Hash(name='itq')))"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert output.strip() == fingerprint(Hash(name="itq"))
    assert output.startswith("b2:")


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_cannot_tell_apart_have_no_fingerprint(value):
    with pytest.raises(ConfigError, match=f"^configuration, tolerance is {value}; give a finite number"):
        fingerprint(Plan(tolerance=value))
