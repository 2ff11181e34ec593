"""Every error the package raises on purpose.

::

    HammingwayError
    ├── InvalidInputError (ValueError)      a value is wrong: what was expected, what came, what to do
    │   ├── ShapeError                      an array has the wrong shape
    │   ├── NotNumericError (TypeError)     an array holds strings or objects where numbers are needed
    │   ├── CodeWidthError                  codes of one width met an index of another
    │   └── RefusedError                    a collection is not made for what is asked, or holds it already
    ├── FileFormatError (ValueError)        a file is truncated, damaged or of another kind
    ├── ConfigError (ValueError)            a configuration has an unknown key or a wrong value
    ├── UnknownNameError (LookupError)      no such hasher, index, data set, ...
    ├── DuplicateNameError                  two distributions registered the same name
    ├── CollectionLockedError               another process writes to the collection
    ├── FolderInUseError                    another process works in the folder
    ├── TrainingError                       the loss is not finite, or all codes became the same
    ├── LostProcessError                    another of the processes that train together ended
    ├── DownloadError                       a data set could not be fetched or has a wrong checksum
    └── MissingExtraError (ImportError)     a feature needs an optional dependency

The command line prints any of them as one sentence and exits with code 2.
"""

from __future__ import annotations

__all__ = [
    "CodeWidthError",
    "CollectionLockedError",
    "ConfigError",
    "DownloadError",
    "DuplicateNameError",
    "FileFormatError",
    "FolderInUseError",
    "HammingwayError",
    "InvalidInputError",
    "LostProcessError",
    "MissingExtraError",
    "NotNumericError",
    "RefusedError",
    "ShapeError",
    "TrainingError",
    "UnknownNameError",
]


class HammingwayError(Exception):
    """Base of every error raised on purpose; its message is one sentence with the remedy."""


class InvalidInputError(HammingwayError, ValueError):
    """An argument has a value that cannot be used."""


class ShapeError(InvalidInputError):
    """An array has the wrong number of dimensions, rows or columns."""


class NotNumericError(InvalidInputError, TypeError):
    """An array holds strings, dates or other objects where numbers are needed."""


class CodeWidthError(InvalidInputError):
    """Codes of one width were handed to something that holds codes of another."""


class RefusedError(InvalidInputError):
    """What is asked is not what this object is made for; ``fault`` says why, ``remedy`` what to do, in Python's words.

    The two are kept apart for front ends with words of their own, such as the options of a command.
    """

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}; {remedy}.")
        self.fault, self.remedy = fault, remedy

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.fault, self.remedy))


class FileFormatError(HammingwayError, ValueError):
    """A file is truncated, damaged, or not of the format it was read as."""


class ConfigError(HammingwayError, ValueError):
    """A configuration has an unknown key or a value of the wrong type or range."""


class UnknownNameError(HammingwayError, LookupError):
    """A name is not registered; the message suggests the nearest ones."""


class DuplicateNameError(HammingwayError):
    """Two installed distributions register the same name."""


class CollectionLockedError(HammingwayError):
    """Another writer has the collection open."""


class FolderInUseError(HammingwayError):
    """Another process works in the folder, or another part of this one."""


class TrainingError(HammingwayError):
    """Training cannot go on: the loss is not finite, or all codes became the same."""


class LostProcessError(HammingwayError):
    """Another of the processes that train together ended, so that this one cannot go on."""


class DownloadError(HammingwayError):
    """A file could not be downloaded, or what came has the wrong checksum."""


class MissingExtraError(HammingwayError, ImportError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        from hammingway.extras import install_command

        super().__init__(f"{feature} needs the extra hammingway[{extra}]; install it by: {install_command(extra)}.")
        self.extra = extra

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_missing_extra, (str(self), self.extra))


def _rebuild_missing_extra(message: str, extra: str) -> MissingExtraError:
    """Restore the error in another process, where only its message and extra arrive."""
    error = MissingExtraError.__new__(MissingExtraError, message)
    error.extra = extra
    return error
