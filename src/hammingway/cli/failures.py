"""What a person sees when a command fails: one sentence with the remedy, and an exit code.

Errors that a user can cause (a wrong value, a missing file, a full disk) become a sentence and exit
code 2, Ctrl-C becomes a line and exit code 130. Anything else is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import click

from hammingway.errors import HammingwayError

__all__ = ["CommandError", "Interrupted", "one_sentence"]

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
}


class CommandError(click.ClickException):
    """A failure told as one sentence on stderr, exit code 2."""

    exit_code = 2


class Interrupted(click.ClickException):
    """Ctrl-C, exit code 130 as shells expect (128 + SIGINT)."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("Interrupted; unfinished outputs were removed.")


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
        raise Interrupted from error


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
