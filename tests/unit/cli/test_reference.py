"""The reference page is what the commands say today."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from hammingway.cli.main import main
from hammingway.cli.reference import HEADING, reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def options() -> list[tuple[str, click.Option]]:
    ctx = click.Context(main, info_name="hammingway", **main.context_settings)
    commands = {name: main.get_command(ctx, name) for name in main.list_commands(ctx)}
    return [
        (name, one) for name, command in commands.items() for one in command.params if isinstance(one, click.Option)
    ]


def test_page_is_up_to_date():
    written = PAGE.read_text() if PAGE.exists() else ""
    assert written == reference(main, "hammingway"), "run: python -m hammingway.cli.reference > docs/reference/cli.md"


def test_every_command_has_a_section():
    page = reference(main, "hammingway")
    assert all(f"\n## hammingway {name}\n" in page for name in main.homes)


def test_every_output_that_no_force_is_needed_for_is_told_at_the_top():
    flags = {(name, flag) for name, option in options() for flag in option.opts}
    added_to = {name for name, flag in flags if flag == "--out" and (name, "--force") not in flags}
    assert added_to == {"demo", "evaluate", "train"}
    assert [name for name in added_to if f"`{name} --out`" not in HEADING] == []


@pytest.mark.parametrize(("name", "option"), options(), ids=lambda value: getattr(value, "name", value))
def test_every_option_is_explained_and_listed(name, option):
    assert option.help
    assert option.help.endswith(".")
    section = reference(main, "hammingway").partition(f"\n## hammingway {name}\n")[2].partition("\n## ")[0]
    assert f"`{option.opts[0]}" in section


@pytest.mark.parametrize(("name", "option"), options(), ids=lambda value: getattr(value, "name", value))
def test_a_default_that_is_not_none_or_false_is_shown(name, option):
    default = option.to_info_dict()["default"]
    if default in (None, False, ()) or repr(default).startswith("Sentinel") or option.multiple:
        return
    ctx = click.Context(main.get_command(None, name), parent=click.Context(main, **main.context_settings))
    assert f"default: {default}" in option.get_help_record(ctx)[1]
