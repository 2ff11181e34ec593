"""What is seen of a fit: how far it is and, for one that has a log, what the last epoch came to."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hammingway.cli.progress_bar import relabelled_bar
from hammingway.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hammingway.hashers import Hasher

__all__ = ["epoch_sentence", "fit_with_bar"]


def fit_with_bar(hasher: Hasher, X: NDArray[Any], y: NDArray[Any] | None, *, label: str, run_dir: Path | None) -> None:
    """Fit, showing a bar on a terminal.

    Raises
    ------
    InvalidInputError : a folder for the run of a hasher that leaves no files.
    """
    accepted = inspect.signature(hasher.fit).parameters
    if run_dir is not None and "folder" not in accepted:
        raise InvalidInputError(f"{type(hasher).__name__} keeps no log or checkpoint; leave --run-dir out.")
    with relabelled_bar(label) as (progress, relabel):
        extra: dict[str, Any] = {"folder": run_dir} if run_dir is not None else {}
        if "report" in accepted:
            extra["report"] = lambda entry: relabel(f"{label}, {epoch_sentence(entry)}")
        hasher.fit(X, y, progress=progress, **extra)


def epoch_sentence(entry: Mapping[str, Any]) -> str:
    """Return what an entry of a training log says, in a few words.

    Examples
    --------
    >>> epoch_sentence({"epoch": 3, "loss": 0.52, "bit_entropy": 0.97, "validation": {"map": 0.8, "bit_entropy": 1}})
    'epoch 3: loss 0.52, bit entropy 0.97, validation map 0.8'
    """
    words = [f"loss {entry['loss']:.4g}", f"bit entropy {entry['bit_entropy']:.2f}"]
    measured = entry.get("validation", {})
    words += [f"validation {name} {value:.4g}" for name, value in measured.items() if name != "bit_entropy"]
    return f"epoch {entry['epoch']}: {', '.join(words)}"
