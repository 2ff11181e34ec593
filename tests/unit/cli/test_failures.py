"""Failures become one sentence and an exit code; bugs keep their traceback."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import subprocess
import sys

import click
import numpy as np
import pytest
from click.testing import CliRunner

from hammingway.cli.failures import CommandError, Interrupted, in_typed_words, one_sentence
from hammingway.cli.main import LazyGroup
from hammingway.errors import InvalidInputError, MissingExtraError


def raised_as_sentence(error: BaseException) -> str:
    with pytest.raises(CommandError) as caught, one_sentence():
        raise error
    assert caught.value.exit_code == 2
    assert caught.value.__cause__ is error
    assert "\n" not in caught.value.message
    return caught.value.message


def test_library_error_keeps_its_sentence():
    assert raised_as_sentence(InvalidInputError("k must be >= 1; got 0.")) == "k must be >= 1; got 0."


def test_library_error_over_two_lines_becomes_one():
    assert raised_as_sentence(InvalidInputError("k must be >= 1;\n   got 0.")) == "k must be >= 1; got 0."


def test_missing_extra_names_the_pip_command():
    assert "install it by: pip install 'pooch>=" in raised_as_sentence(MissingExtraError("reading HDF5", "data"))


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOENT, "check the path"),
        (errno.EACCES, "ask its owner for access"),
        (errno.EISDIR, "give the path of a file"),
        (errno.ENOTDIR, "check the path"),
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EROFS, "writable disk"),
        (errno.EFBIG, "limit on file sizes"),
        (errno.ENAMETOOLONG, "shorter path"),
    ],
)
def test_errors_of_the_file_system_name_the_file_the_reason_and_the_remedy(number, remedy):
    sentence = raised_as_sentence(OSError(number, os.strerror(number), "some/file.npy"))
    assert sentence.startswith(f"some/file.npy: {os.strerror(number)}; ")
    assert remedy in sentence


def test_error_without_a_file_name_says_the_reason():
    assert raised_as_sentence(OSError(errno.ENOSPC, "No space left on device")).startswith("No space left on device; ")


def test_file_not_found_raised_with_a_sentence_of_its_own_keeps_it():
    assert raised_as_sentence(FileNotFoundError("a.npy: no such file.")) == "a.npy: no such file."


def test_memory_error_of_numpy_says_how_much_was_wanted():
    with pytest.raises(CommandError, match=r"Unable to allocate .*; use fewer rows"), one_sentence():
        np.empty((2**31, 2**31), dtype=np.int8)


def test_bare_memory_error_has_a_remedy():
    assert raised_as_sentence(MemoryError()) == (
        "Not enough memory; use fewer rows or fewer bits, or a larger machine."
    )


def test_usage_error_points_to_the_help_of_its_command():
    ctx = click.Context(click.Command("fit"), info_name="fit")
    assert raised_as_sentence(click.UsageError("Wrong.", ctx)) == "Wrong. See 'fit --help'."


def test_keyboard_interrupt_exits_with_130():
    with pytest.raises(Interrupted) as caught, one_sentence():
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130


@pytest.mark.parametrize(
    "bug", [ValueError("a bug"), KeyError("a bug"), OSError(errno.EBADF, "a bug"), ZeroDivisionError()]
)
def test_bugs_pass_unchanged(bug):
    with pytest.raises(type(bug)) as caught, one_sentence():
        raise bug
    assert caught.value is bug


def test_broken_pipe_is_left_to_click_which_is_quiet_about_it():
    with pytest.raises(BrokenPipeError), one_sentence():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def group_failing_with(error: BaseException) -> LazyGroup:
    group = LazyGroup(homes={}, name="hammingway")

    @click.command()
    def command() -> None:
        raise error

    group.get_command = lambda ctx, name: command
    return group


def test_failure_goes_to_stderr_and_leaves_stdout_to_programs():
    result = CliRunner().invoke(group_failing_with(InvalidInputError("It is wrong.")), ["fail"])
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", "Error: It is wrong.\n")


def test_interrupt_prints_one_line():
    result = CliRunner().invoke(group_failing_with(KeyboardInterrupt()), ["fail"])
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "Error: Interrupted; unfinished outputs were removed.\n"


def test_interrupt_says_what_was_kept_of_the_work():
    result = CliRunner().invoke(group_failing_with(KeyboardInterrupt("run keeps step 3 of 9")), ["fail"])
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "Error: Interrupted; run keeps step 3 of 9, and the same command goes on from there.\n"


def test_bug_keeps_its_traceback():
    result = CliRunner().invoke(group_failing_with(RuntimeError("a bug")), ["fail"])
    assert isinstance(result.exception, RuntimeError)
    assert result.exc_info[2] is not None


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("n_bits must be from 1 to 4096; got 0.", "--bits must be from 1 to 4096; got 0."),
        ("so n_bits=128 is too many", "so --bits 128 is too many"),
        ("k must be from 1 to 9; got 10.", "-k must be from 1 to 9; got 10."),
        ("name one by its key.", "name one by its --key."),
        ("k-means needs it", "k-means needs it"),
        ("random_state_ is learned", "random_state_ is learned"),
        ("the data set 'k' is unknown", "the data set 'k' is unknown"),
        ("codes.n_bits is wrong", "codes.n_bits is wrong"),
        ("keys are many", "keys are many"),
        ("k.npy holds k.", "k.npy holds -k."),
    ],
)
def test_parameters_are_named_as_they_were_typed(sentence, expected):
    assert (
        in_typed_words(sentence, {"n_bits": "--bits", "k": "-k", "key": "--key", "random_state": "--seed"}) == expected
    )


def test_parameter_that_is_no_option_of_the_command_keeps_its_name():
    result = CliRunner().invoke(group_failing_with(InvalidInputError("n_bits is wrong.")), ["fail"])
    assert result.stderr == "Error: n_bits is wrong.\n"


def test_a_full_address_space_is_one_sentence():
    with (
        pytest.raises(CommandError, match=r"Cannot allocate memory; use fewer rows or a larger machine\.$"),
        one_sentence(),
    ):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")


def test_words_of_the_sentence_that_only_look_like_parameters_stay():
    options = {"k": "-k", "key": "--key"}
    assert in_typed_words("share one shape (n, k), not empty", options) == "share one shape (n, k), not empty"
    assert in_typed_words("'=' after a key in a key/value pair", options) == "'=' after a key in a key/value pair"


HAMMINGWAY = (sys.executable, "-c", "from hammingway.cli.main import main; main()")


@pytest.mark.parametrize("closed", ["1", "2"])
def test_closed_streams_do_not_break_a_search(files, closed):
    words = [*HAMMINGWAY, "search", str(files / "itq.codes"), str(files / "itq.codes"), "-k", "1"]
    shell = f"{shlex.join(words)} {closed}>&-"
    done = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_names_outside_the_encoding_of_the_stream_are_escaped(files, tmp_path):
    shutil.copy(files / "vectors.npy", tmp_path / "v\xe4.npy")
    words = [*HAMMINGWAY, "evaluate", str(tmp_path / "v\xe4.npy"), "--hasher", "lsh", "--bits", "8", "--queries", "20"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(r"v\xe4.npy")
