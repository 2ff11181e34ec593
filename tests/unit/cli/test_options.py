"""Shared parameter types: outputs are safe, names are checked, values are parsed."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hammingway import Collection
from hammingway.cli.options import BITS, InputFile, KeyValue, OutputFile, RegisteredName, force_option
from hammingway.codes import MAX_BITS


@click.command()
@click.option("--out", type=OutputFile())
@force_option
def writing(out: Path | None) -> None:
    click.echo(repr(out))


def run_writing(*arguments: object):
    return CliRunner().invoke(writing, [str(argument) for argument in arguments])


def test_new_output_is_accepted(tmp_path):
    assert run_writing("--out", tmp_path / "new").stdout == f"{tmp_path / 'new'!r}\n"


def test_output_in_the_working_folder_needs_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_writing("--out", "new").exit_code == 0


def test_existing_output_is_refused_without_force(tmp_path):
    (tmp_path / "old").write_text("precious")
    result = run_writing("--out", tmp_path / "old")
    assert result.exit_code == 2
    assert "exists; add --force to replace it." in result.stderr
    assert "'--out'" in result.stderr


@pytest.mark.parametrize("force_first", [True, False])
def test_force_is_obeyed_wherever_it_stands(tmp_path, force_first):
    (tmp_path / "old").write_text("precious")
    arguments = ["--out", tmp_path / "old"]
    assert run_writing(*(["--force", *arguments] if force_first else [*arguments, "--force"])).exit_code == 0


def test_missing_output_folder_is_named(tmp_path):
    result = run_writing("--out", tmp_path / "absent" / "new")
    assert result.exit_code == 2
    assert f"the folder {str(tmp_path / 'absent')!r} does not exist; create it first." in result.stderr


def test_folder_is_no_output(tmp_path):
    assert "is a directory" in run_writing("--out", tmp_path, "--force").stderr


def test_device_is_never_replaced_by_a_file():
    result = run_writing("--out", os.devnull, "--force")
    assert result.exit_code == 2
    assert "is not a regular file" in result.stderr


@click.command()
@click.argument("data", type=InputFile())
def reading(data: Path) -> None:
    click.echo(repr(data))


def test_a_collection_where_a_file_is_wanted_is_sent_to_its_commands(tmp_path):
    with Collection.create(tmp_path / "c", n_bits=8):
        pass
    result = CliRunner().invoke(reading, [str(tmp_path / "c")])
    assert result.exit_code == 2
    assert "is a collection, where a file is wanted; 'hammingway collection search' searches it" in " ".join(
        result.stderr.split()
    )
    assert "is a directory" in CliRunner().invoke(reading, [str(tmp_path)]).stderr


def test_missing_input_is_named(tmp_path):
    result = CliRunner().invoke(reading, [str(tmp_path / "absent.npy")])
    assert result.exit_code == 2
    assert f"File '{tmp_path / 'absent.npy'}' does not exist." in result.stderr


def test_folder_is_no_input(tmp_path):
    assert "is a directory" in CliRunner().invoke(reading, [str(tmp_path)]).stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n_iterations=50", ("n_iterations", 50)),
        ("scale=0.5", ("scale", 0.5)),
        ("scale=1e-3", ("scale", 1e-3)),
        ("flag=true", ("flag", True)),
        ("flag=false", ("flag", False)),
        ("sample=null", ("sample", None)),
        ("solver=randomized", ("solver", "randomized")),
        ("solver=", ("solver", "")),
        ("path=a=b", ("path", "a=b")),
        ('text="5"', ("text", "5")),
    ],
)
def test_values_of_parameters_are_json_or_text(text, expected):
    key, value = KeyValue().convert(text, None, None)
    assert (key, value) == expected
    assert type(value) is type(expected[1])


@pytest.mark.parametrize("text", ["n_iterations", "=5", "5=5", "a-b=5", ""])
def test_parameter_that_is_no_pair_is_refused(text):
    with pytest.raises(click.BadParameter, match="is not of the form key=value"):
        KeyValue().convert(text, None, None)


def test_registered_name_is_accepted_and_a_near_miss_suggested():
    assert RegisteredName("hashers").convert("itq", None, None) == "itq"
    with pytest.raises(click.BadParameter, match=r"No hashers named 'iqt'\. Did you mean 'itq'\?"):
        RegisteredName("hashers").convert("iqt", None, None)


def test_names_complete_in_the_shell():
    ctx = click.Context(writing)
    items = RegisteredName("hashers").shell_complete(ctx, writing.params[0], "pca")
    assert [item.value for item in items] == ["pcah", "pcar"]


def test_widest_code_is_that_of_the_library():
    assert (BITS.min, BITS.max) == (1, MAX_BITS)


@click.command()
@click.argument("source", type=InputFile())
@click.option("--out", type=OutputFile())
@click.option("--other", type=OutputFile())
@force_option
def rewriting(source: Path, out: Path | None, other: Path | None) -> None:
    click.echo("ran")


@pytest.mark.parametrize("alias", ["data", "link", "folder/../data"])
def test_force_does_not_overwrite_what_is_read(tmp_path, alias):
    (tmp_path / "data").write_text("precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("data")
    result = CliRunner().invoke(rewriting, [str(tmp_path / "data"), "--out", str(tmp_path / alias), "--force"])
    assert result.exit_code == 2
    assert "is also '--out'; choose another path." in result.stderr


def test_two_outputs_cannot_be_one_file(tmp_path):
    (tmp_path / "data").write_text("precious")
    new = str(tmp_path / "new")
    result = CliRunner().invoke(rewriting, [str(tmp_path / "data"), "--out", new, "--other", new])
    assert result.exit_code == 2
    assert "is also '--out'; choose another path." in result.stderr


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000])
def test_values_that_json_cannot_read_stay_text(text):
    assert KeyValue().convert(f"name={text}", None, None) == ("name", text)


def test_a_folder_that_cannot_be_written_to_is_named_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "cannot be written to; choose another." in run_writing("--out", tmp_path / "new").stderr
