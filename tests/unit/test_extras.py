"""What an extra requires is told as a command that works without the package being published."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from hammingway import extras
from hammingway.errors import MissingExtraError

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
DECLARED = PROJECT["optional-dependencies"]


def test_requirements_are_those_of_the_project():
    assert extras.requirements()[""] == PROJECT["dependencies"]
    assert extras.requirements()["data"] == DECLARED["data"]
    assert set(extras.requirements()) == {"", *DECLARED}


@pytest.mark.parametrize("extra", sorted(DECLARED))
def test_command_names_requirements_and_never_the_package_itself(extra):
    command = extras.install_command(extra)
    assert command.startswith("pip install '") and "hammingway" not in command
    plain = [each for each in DECLARED[extra] if not each.startswith("hammingway[")]
    assert all(f"'{each}'" in command for each in plain)
    assert command in str(MissingExtraError("This", extra))


def test_extras_that_name_each_other_are_resolved_once():
    assert extras.install_command("tensorboard") == "pip install " + " ".join(
        f"'{each}'" for each in [*DECLARED["torch"], DECLARED["tensorboard"][1]]
    )
    assert extras.install_command("all").count("'torch") == 1


def test_a_clone_that_was_never_installed_is_to_be_installed(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    assert extras.install_command("torch") == "pip install '.[torch]'"
