"""What is seen of a fit: how far it is and, for one that has a log, what the last epoch came to."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hammingway.cli.progress_bar import noted_bar
from hammingway.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hammingway.hashers import Hasher

__all__ = ["EpochNotes", "fit_with_bar"]


def fit_with_bar(
    hasher: Hasher,
    X: NDArray[Any],
    y: NDArray[Any] | None,
    *,
    label: str,
    run_dir: Path | None,
    tensorboard: bool,
) -> None:
    """Fit, showing a bar on a terminal.

    Raises
    ------
    InvalidInputError : a folder for the run of a hasher that leaves no files.
    """
    accepted = inspect.signature(hasher.fit).parameters
    if run_dir is not None and "folder" not in accepted:
        raise InvalidInputError(f"{type(hasher).__name__} keeps no log or checkpoint; leave --run-dir out.")
    with noted_bar(label) as (progress, note):
        extra: dict[str, Any] = {"folder": run_dir, "tensorboard": tensorboard} if run_dir is not None else {}
        if "report" in accepted:
            epochs = EpochNotes()
            extra["report"] = lambda entry: note(epochs.note(entry))
        hasher.fit(X, y, progress=progress, **extra)


class EpochNotes:
    """Says what came of the epochs of a run, the last validation also where it was some epochs ago."""

    def __init__(self) -> None:
        self._validated: Mapping[str, Any] | None = None

    def note(self, entry: Mapping[str, Any]) -> str:
        """Return what an entry of a training log says, in a line.

        Examples
        --------
        >>> notes = EpochNotes()
        >>> terms = {"pairs": 0.5, "regularizer": 0.02}
        >>> measured = {"map": 0.8, "bit_entropy": 0.9}
        >>> notes.note({"epoch": 3, "loss": 0.52, "terms": terms, "bit_entropy": 0.97, "validation": measured})
        'epoch 3: loss 0.52, bit entropy 0.97, validation map 0.8; pairs 0.5, regularizer 0.02'
        >>> notes.note({"epoch": 4, "loss": 0.51, "terms": {}, "bit_entropy": 0.96})
        'epoch 4: loss 0.51, bit entropy 0.96, validation map 0.8 (epoch 3)'
        """
        if "validation" in entry:
            self._validated = entry
        words = [f"loss {entry['loss']:.4g}", f"bit entropy {entry['bit_entropy']:.2f}", *self._validation(entry)]
        terms = [f"{name} {value:.4g}" for name, value in entry["terms"].items()]  # last: a narrow terminal cuts them
        return f"epoch {entry['epoch']}: {'; '.join(', '.join(part) for part in (words, terms) if part)}"

    def _validation(self, entry: Mapping[str, Any]) -> Iterator[str]:
        if self._validated is None:
            return
        when = "" if self._validated is entry else f" (epoch {self._validated['epoch']})"
        for name, value in self._validated["validation"].items():
            if name != "bit_entropy":
                yield f"validation {name} {value:.4g}{when}"
