"""``hammingway list`` names what is registered, with a line on each."""

from __future__ import annotations

import json

import pytest

from hammingway import registry
from hammingway.cli.list_names import FORMATS, KINDS, _folded
from hammingway.config import to_mapping
from hammingway.datasets.formats import FORMAT_NAMES
from hammingway.datasets.formats.class_folders import NAME

CLASS_OWN = ("objective", "network", "training")


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


def defaults_of(kind):
    return json.loads(json.dumps(to_mapping(kind())))


@pytest.mark.parametrize("kind", ["objectives", "networks"])
def test_every_option_is_listed_with_its_default_and_a_line(run, kind):
    pytest.importorskip("torch")
    for name in registry.names(kind):
        options = json.loads(run("list", kind, name, "--json").stdout)
        assert {option: facts["default"] for option, facts in options.items()} == defaults_of(
            registry.load(kind, name).Options
        )
        assert all(facts["what"] for facts in options.values()), name
        assert not any("`" in facts["what"] or "None" in facts["what"] for facts in options.values()), name


def test_options_are_shown_as_they_are_typed(run):
    pytest.importorskip("torch")
    lines = run("list", "objectives", "hagcn").stdout.splitlines()
    assert lines[0] == "objective hagcn:"
    assert "  filter=gcn " in lines[1] and "'chebyshev' or 'lanczos'." in lines[1]
    assert any(line.startswith("  hidden=null ") for line in lines)
    assert run("list", "networks", "fast-mnist-cnn").stdout == "network fast-mnist-cnn: no options\n"
    inherited = run("list", "networks", "vgg16").stdout
    assert "factor of the learning rate of all but the head" in inherited and "0.1, as the head" in inherited


@pytest.mark.parametrize("name", registry.names("hashers"))
def test_every_parameter_of_a_hasher_but_its_seed_is_listed_with_its_default_and_a_line(run, name):
    pytest.importorskip("torch")
    parameters = json.loads(run("list", "hashers", name, "--json").stdout)
    defaults = registry.load("hashers", name)().get_params()
    assert defaults.pop("random_state") is None
    assert parameters.keys() == defaults.keys()
    assert all(facts["default"] == defaults[name] for name, facts in parameters.items() if name not in CLASS_OWN)
    assert all(facts["what"] for facts in parameters.values())
    assert not any("`" in facts["what"] or "None" in facts["what"] for facts in parameters.values())


def test_what_a_method_has_of_its_own_is_its_default(run):
    pytest.importorskip("torch")
    parameters = json.loads(run("list", "hashers", "autohash", "--json").stdout)
    assert {name: parameters[name]["default"] for name in CLASS_OWN} == {
        "objective": {"name": "autohash"},
        "network": {"name": "autohash"},
        "training": {"epochs": 30, "batch_size": 256, "schedule": "cosine"},
    }
    shown = run("list", "hashers", "dsh").stdout
    assert '--param network={"name":"mlp"} ' in shown and "--param training={} " in shown


def test_parameters_of_hashers_are_shown_as_they_are_typed(run):
    lines = run("list", "hashers", "itq").stdout.splitlines()
    assert lines[0] == "hasher itq:"
    assert lines[1].startswith("  --bits 64 ") and "at most the number of features" in lines[1]
    assert any(line.startswith("  --param n_iterations=50 ") for line in lines)
    assert any(line.startswith("  --bits  ") for line in run("list", "hashers", "sign").stdout.splitlines())


def test_options_of_a_training_are_listed(run):
    pytest.importorskip("torch")
    from hammingway.deep import Training

    options = json.loads(run("list", "training", "--json").stdout)
    assert {option: facts["default"] for option, facts in options.items()} == defaults_of(Training)
    assert all(facts["what"] for facts in options.values())


def test_names_without_options_are_refused(refused):
    pytest.importorskip("torch")
    assert "Did you mean 'hagcn'?" in refused("list", "objectives", "hagnc")
    assert "Did you mean 'distilled'?" in refused("list", "hashers", "distiled")
    for kind in ("metrics", "training"):
        assert "only hashers, objectives and networks have options by NAME" in refused("list", kind, "x")
