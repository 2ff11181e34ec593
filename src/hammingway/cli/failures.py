"""What a person sees when a command fails: one sentence with the remedy, and an exit code.

Errors that a user can cause (a wrong value, a missing file, a full disk) become a sentence and exit
code 2, Ctrl-C becomes a line and exit code 130. Anything else is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from hammingway.errors import ConfigError, HammingwayError

__all__ = ["CommandError", "Interrupted", "in_typed_words", "one_sentence", "options_as_typed", "writable_streams"]

_OS_REMEDIES = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "give the path of a file",
    errno.EEXIST: "choose another path",
    errno.EACCES: "ask its owner for access or choose another path",
    errno.EPERM: "ask its owner for access or choose another path",
    errno.EROFS: "choose a path on a writable disk",
    errno.ENOSPC: "free some space or choose a path on another disk",
    errno.EDQUOT: "free some space or choose a path on another disk",
    errno.EFBIG: "raise the limit on file sizes or choose a path on another disk",
    errno.EIO: "check the disk",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.ELOOP: "check the symbolic links",
    errno.EMFILE: "raise the limit on open files",
    errno.ENOMEM: "use fewer rows or a larger machine",
    errno.ENXIO: "give the path of a regular file",
    errno.ENODEV: "give the path of a regular file",
    errno.ETXTBSY: "stop the program that uses it or choose another path",
    errno.EBUSY: "stop the program that uses it or choose another path",
    errno.ESTALE: "check the network disk and try again",
}


class CommandError(click.ClickException):
    """A failure told as one sentence on stderr, exit code 2."""

    exit_code = 2


class Interrupted(click.ClickException):
    """Ctrl-C, exit code 130 as shells expect (128 + SIGINT).

    Parameters
    ----------
    kept : what was kept of the work, as in "run keeps step 17 of 400"; empty for nothing.
    """

    exit_code = 130

    def __init__(self, kept: str = "") -> None:
        outcome = f"{kept}, and the same command goes on from there" if kept else "unfinished outputs were removed"
        super().__init__(f"Interrupted; {outcome}.")


def writable_streams() -> None:
    """Make stdout and stderr take any text, whatever the locale, and be there even where they were closed.

    A path of Umlauts or of bytes that are no text must not end finished work in an error: what the stream's
    encoding lacks is printed as an escape such as ``\\xe4``.
    """
    sys.stdout = _writable(sys.stdout)
    sys.stderr = _writable(sys.stderr)


def _writable(stream: TextIO | None) -> TextIO:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


@contextmanager
def options_as_typed(command: Callable[[], click.Command | None]) -> Iterator[None]:
    """Where the library's sentence names a parameter that the command has as an option, name the option.

    A :class:`ConfigError` is left as it is: the names in it stand so in a plan.

    Parameters
    ----------
    command : asked on failure for the command that ran, None if none did.
    """
    try:
        yield
    except ConfigError as error:
        raise CommandError(_one_line(str(error))) from error
    except HammingwayError as error:
        options = {} if (ran := command()) is None else _spellings(ran)
        raise CommandError(_one_line(in_typed_words(str(error), options))) from error


def in_typed_words(sentence: str, options: Mapping[str, str]) -> str:
    """Return ``sentence`` with parameter names replaced by the options that set them.

    Parameters
    ----------
    options : parameter name -> option, as in {"n_bits": "--bits"}.

    Examples
    --------
    >>> in_typed_words("n_bits must be at most 64; got n_bits=128.", {"n_bits": "--bits"})
    '--bits must be at most 64; got --bits 128.'
    """
    if not options:
        return sentence
    names = "|".join(map(re.escape, options))
    # Only whole words: "k-means", "random_state_" and "k.npy" are no parameters.
    pattern = re.compile(rf"(?<![\w.'\"/-])(?<!\ba )({names})(=|(?![\w'\"()/-]|\.\w))")
    return pattern.sub(lambda match: options[match[1]] + (" " if match[2] else ""), sentence)


def _spellings(command: click.Command) -> dict[str, str]:
    """Return library name -> option, for the options that the library's sentences may name."""
    found = {param.name: max(param.opts, key=len) for param in command.params if isinstance(param, click.Option)}
    renamed = {
        name: name
        for name in ("n_bits", "n_queries", "k", "radius", "n_threads", "key", "data_dir", "rerank", "prefix_bits")
    } | {
        "random_state": "seed",
        "query_bits": "asymmetric",
        "y": "labels",
    }
    return {name: found[param] for name, param in renamed.items() if param in found}


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn whatever a user can cause into :class:`CommandError` or :class:`Interrupted`; let bugs through."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        raise CommandError(_usage_sentence(error)) from error
    except HammingwayError as error:
        raise CommandError(_one_line(str(error))) from error
    except OSError as error:
        sentence = _os_sentence(error)
        if sentence is None:
            raise
        raise CommandError(sentence) from error
    except MemoryError as error:
        raise CommandError(_memory_sentence(error)) from error
    except KeyboardInterrupt as error:
        raise Interrupted(str(error)) from error


def _usage_sentence(error: click.UsageError) -> str:
    message = _one_line(error.format_message())
    message += "" if message.endswith((".", "?", "!", ".)", "?)")) else "."
    return message if error.ctx is None else f"{message} See '{error.ctx.command_path} --help'."


def _os_sentence(error: OSError) -> str | None:
    """Return the sentence for an error of the file system, or None for any other."""
    if error.errno is None and isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return _one_line(str(error))
    if error.errno not in _OS_REMEDIES:
        return None
    reason = (error.strerror or "the file cannot be used").rstrip(".")
    where = f"{error.filename}: " if error.filename else ""
    return _one_line(f"{where}{reason}; {_OS_REMEDIES[error.errno]}.")


def _memory_sentence(error: MemoryError) -> str:
    reason = _one_line(str(error)).rstrip(".")
    return f"Not enough memory{f' ({reason})' if reason else ''}; use fewer rows or fewer bits, or a larger machine."


def _one_line(message: str) -> str:
    return " ".join(message.split())
