"""Of several processes the first speaks; commands that gain nothing from several are refused."""

from __future__ import annotations

import sys

import click
import pytest

from hammingway.cli import several
from hammingway.cli.several import one_voice


@pytest.fixture
def process(monkeypatch):
    """Return a function that makes this the process of a number, of two, which fails first or not."""

    def become(number, *, first=True):
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setenv("RANK", str(number))
        monkeypatch.setattr(several, "_fails_first", lambda: first)
        monkeypatch.setattr(several, "_SECONDS_TO_SPEAK", 0)

    return become


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", "codes", "codes"), "search runs in one process, not in 2; leave torchrun out."),
        (("collection", "info", "x"), "collection runs in one process, not in 2; leave torchrun out."),
        (("fit", "vectors.npy", "--hasher", "itq", "--out", "m"), "itq is fitted by one process, not by 2"),
        (("train", "plan.toml", "--out", "out"), "no hasher that several processes fit together; leave torchrun out."),
    ],
)
@pytest.mark.parametrize("number", [0, 1])
def test_work_of_one_process_is_refused_to_several(
    refused, process, files, tmp_path, monkeypatch, arguments, said, number
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vectors.npy").write_bytes((files / "vectors.npy").read_bytes())
    (tmp_path / "plan.toml").write_text('[data]\ndataset = "vectors.npy"\n[base]\nhasher = "itq"\nn_bits = 8\n')
    process(number)
    assert said in refused(*arguments)
    assert {path.name for path in tmp_path.iterdir()} == {"vectors.npy", "plan.toml"}


def test_only_the_first_process_is_heard(process, capsys):
    for number in range(2):
        process(number)
        with one_voice():
            print("result of", number)
            print("progress of", number, file=sys.stderr)
    assert capsys.readouterr() == ("result of 0\n", "progress of 0\n")


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, click.UsageError])
@pytest.mark.parametrize("number", [0, 1])
def test_who_fails_first_is_heard_and_who_fails_of_that_is_not(process, capsys, failure, number):
    for first in (True, False):
        process(number, first=first)
        before = sys.stdout, sys.stderr
        with pytest.raises(failure), one_voice():
            raise failure("reason")
        print("told after", first, file=sys.stderr)
        sys.stdout, sys.stderr = before
    assert capsys.readouterr() == ("", "told after True\n")


def test_help_is_no_failure(process, monkeypatch):
    process(0)
    monkeypatch.setattr(several, "_fails_first", lambda: pytest.fail("asked"))
    with pytest.raises(click.exceptions.Exit), one_voice():
        raise click.exceptions.Exit(0)
