"""The group loads commands on use, is fast, and suggests near names."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from hammingway import __version__
from hammingway.cli.main import main

HEAVY = [
    "numpy",
    "scipy",
    "sklearn",
    "rich",
    "safetensors",
    "h5py",
    "pyarrow",
    "altair",
    "importlib.metadata",
    "msgspec",
]


def modules_after(arguments: list[str]) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after running ``hammingway`` with arguments."""
    script = (
        "import sys\nfrom hammingway.cli.main import main\n"
        f"try:\n    main({arguments!r}, 'hammingway')\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in main.homes)])
def test_help_imports_nothing_heavy(arguments):
    loaded = modules_after(arguments)
    assert "hammingway.cli.main" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_one_command_does_not_load_the_others():
    loaded = modules_after(["info", "--help"])
    assert "hammingway.cli.info" in loaded
    assert "hammingway.cli.list_names" not in loaded


def test_help_lists_every_command_with_a_line():
    lines = CliRunner().invoke(main, ["--help"]).stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == list(main.homes)
    assert all(len(line.split()) > 2 for line in lines)


def test_version_is_the_library_version():
    assert CliRunner().invoke(main, ["--version"]).stdout == f"hammingway, version {__version__}\n"


def test_no_command_shows_the_help_and_exits_with_2():
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 2
    assert "Commands:" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lst"], "No such command 'lst'. Did you mean 'list'? See 'hammingway --help'."),
        (["zzzz"], "No such command 'zzzz'. See 'hammingway --help'."),
        (["--versoin"], "No such option '--versoin'. Did you mean '--version'? See 'hammingway --help'."),
        (["info", "--jsn"], "No such option '--jsn'. Did you mean '--json'? See 'hammingway info --help'."),
        (["list", "networks", "x", "y"], "Got unexpected extra argument (y). See 'hammingway list --help'."),
        (
            ["list", "indexes", "x"],
            "only hashers, objectives and networks have options by NAME; leave 'x' out. See 'hammingway list --help'.",
        ),
    ],
)
def test_misspelt_names_get_a_suggestion_in_one_sentence(arguments, sentence):
    result = CliRunner().invoke(main, arguments, prog_name="hammingway")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {sentence}\n")
