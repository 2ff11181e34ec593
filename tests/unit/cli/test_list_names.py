"""``hammingway list`` names what is registered, with a line on each."""

from __future__ import annotations

import json

import pytest

from hammingway import registry
from hammingway.cli.list_names import FORMATS, KINDS, _folded
from hammingway.datasets.formats import FORMAT_NAMES
from hammingway.datasets.formats.class_folders import NAME


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_registered_name_is_listed_with_a_line(run, kind):
    listed = json.loads(run("list", kind, "--json").stdout)
    assert list(listed) == [kind]
    assert list(listed[kind]) == registry.names(kind)
    assert all(listed[kind].values())


def test_every_format_is_listed_with_a_line():
    assert set(FORMATS) == {*FORMAT_NAMES, NAME}


def test_all_kinds_are_listed_without_an_argument(run):
    assert tuple(json.loads(run("list", "--json").stdout)) == KINDS
    assert [line for line in run("list").stdout.splitlines() if line.endswith(":")] == [f"{kind}:" for kind in KINDS]


def test_text_has_a_name_and_its_line(run):
    lines = run("list", "hashers").stdout.splitlines()
    assert lines[0] == "hashers:"
    assert [line.split()[0] for line in lines[1:]] == registry.names("hashers")
    assert all(len(line.split()) > 3 for line in lines[1:])


@pytest.mark.parametrize("columns", [80, 10])
def test_terminal_gets_lines_folded_beside_the_names(monkeypatch, columns):
    line = "  name  one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    folded = _folded(line, indent=8)
    assert len(folded) > 1
    assert all(len(part) <= max(columns, 28) for part in folded)
    assert all(part.startswith(" " * 8) for part in folded[1:])
    assert " ".join(part.strip() for part in folded) == line.strip()


def test_unknown_kind_is_refused_with_the_known_ones(refused):
    sentence = refused("list", "hasher")
    assert "'[KIND]'" in sentence
    assert "'hashers'" in sentence


def test_the_hasher_that_takes_minutes_says_so(run):
    lines = run("list", "hashers").stdout.splitlines()
    assert [line.split()[0] for line in lines if "minutes to fit" in line] == ["distilled"]
