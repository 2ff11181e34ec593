"""What is wrong with the hashers of a plan, told before the first of them is fitted.

An evaluation is lenient: what a hasher refuses, such as too many bits, is the record of that run, and no mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from hammingway.errors import ConfigError, HammingwayError, InvalidInputError

if TYPE_CHECKING:
    from hammingway.hashers.base import Hasher

__all__ = ["check_features", "check_labels", "checked_hashers", "naming"]

R = TypeVar("R")


def checked_hashers(runs: Mapping[str, R], make: Callable[[R], Hasher], *, lenient: bool = False) -> dict[str, Hasher]:
    """Return the hasher of each run, not fitted, by the name of the run.

    Parameters
    ----------
    runs : by their names, which a refusal begins with.
    make : returns the hasher of a run.
    lenient : take no notice of InvalidInputError.

    Raises
    ------
    ConfigError : an option of one of them cannot be used, or not on this machine.
    """
    hashers = {}
    for name, run in runs.items():
        with naming(name, lenient=lenient):
            hashers[name] = make(run)
            hashers[name].check_options()
    return hashers


def check_features(hashers: Mapping[str, Hasher], n_features: int, *, lenient: bool = False) -> None:
    """Raise ConfigError where options of a hasher do not go with rows of this width; it begins with the run's name."""
    for name, hasher in hashers.items():
        with naming(name, lenient=lenient):
            hasher.check_features(n_features)


def check_labels(hashers: Mapping[str, Hasher], *, labelled: bool) -> None:
    """Raise ConfigError where a hasher needs labels and there are none; it begins with the run's name."""
    for name, hasher in hashers.items():
        if not labelled and hasher.needs_labels:
            raise ConfigError(
                f'{name}: it needs labels and the data has none; name their file under [data], labels = "FILE", '
                "or take that variant out of the plan."
            )


@contextmanager
def naming(run: str, *, lenient: bool = False) -> Iterator[None]:
    """Let what is wrong be told as a ConfigError that begins with the run's name; lenient lets pass what is refused."""
    try:
        yield
    except HammingwayError as error:
        if not (lenient and isinstance(error, InvalidInputError)):
            raise ConfigError(f"{run}: {error}") from error
