"""``hammingway fit``: learn a hash function from vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hammingway.cli import options
from hammingway.cli.options import InputFile, OutputFile, RegisteredName
from hammingway.cli.printing import counted, report
from hammingway.errors import FileFormatError, ShapeError
from hammingway.processes import n_processes, process_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hammingway.hashers import Hasher

__all__ = ["command"]

HASHER = "How codes are learned; 'hammingway list hashers' names what there is."

LABELS = "One class label a row of DATA, for supervised hashers; a folder of class folders has its own."

RUN_DIR = "Folder for a deep hasher's log and checkpoint; an interrupted fit goes on from there."


@click.command()
@click.argument("data", type=InputFile(folder=True))
@click.option("--hasher", "name", type=RegisteredName("hashers"), required=True, help=HASHER)
@options.bits_option
@click.option("--out", type=OutputFile(), required=True, help="Where to write the fitted hasher.")
@click.option("--labels", metavar="FILE", type=InputFile(folder=True), help=LABELS)
@options.seed_option
@options.param_option
@options.set_option
@click.option("--run-dir", type=click.Path(file_okay=False, path_type=Path), help=RUN_DIR)
@options.tensorboard_option
@options.key_option
@options.force_option
@options.json_option
def command(
    data: Path,
    name: str,
    n_bits: int | None,
    out: Path,
    labels: Path | None,
    seed: int,
    params: tuple[tuple[str, Any], ...],
    settings: tuple[tuple[str, Any], ...],
    run_dir: Path | None,
    tensorboard: bool,
    key: str | None,
    as_json: bool,
) -> None:
    """Fit a hasher on the vectors in DATA and save it.

    DATA is a file in any format that 'hammingway list formats' names. Files larger than memory are
    read in pieces. DATA may also be a folder with one folder of .npy files a class, and --labels the same folder.
    """
    from hammingway.cli.hasher_choice import make_hasher
    from hammingway.cli.reading import open_vectors
    from hammingway.cli.training_bar import fit_with_bar

    if tensorboard and run_dir is None:
        raise click.UsageError("--tensorboard writes to the folder of the run; add --run-dir, or leave it out.")
    hasher = make_hasher(name, n_bits, seed=seed, params=params, settings=settings)
    if n_processes() > 1 and not hasher.fits_together:
        raise click.UsageError(f"{name} is fitted by one process, not by {n_processes()}; leave torchrun out.")
    X = open_vectors(data, key=key)
    y = _class_labels(labels, hasher, name, n_rows=len(X))
    fit_with_bar(hasher, X, y, label=f"fitting {name}", run_dir=run_dir, tensorboard=tensorboard)
    if process_number() > 0:
        return
    hasher.save(out)
    n, d = X.shape
    sentence = f"{out}: {name} of {counted(hasher.n_bits_, 'bit')}, fitted on {n} x {d}."
    facts = {"hasher": name, "n_bits": hasher.n_bits_, "n": n, "d": d, "seed": seed}
    report(sentence, as_json=as_json, **facts, fingerprint=hasher.fingerprint(), out=str(out))


def _class_labels(path: Path | None, hasher: Hasher, name: str, *, n_rows: int) -> NDArray[np.int64] | None:
    """Return the labels in a file, one a row of DATA, or None where none are given nor needed.

    Raises
    ------
    click.UsageError : the hasher learns from labels, and there are none.
    FileFormatError, ShapeError : no labels, or not one a row.
    """
    from hammingway.datasets.formats import read_labels

    if path is None:
        if hasher.__sklearn_tags__().target_tags.required:
            raise click.UsageError(
                f"{name} learns from classes; give --labels FILE, a whole number for each row of DATA."
            )
        return None
    try:
        labels = read_labels(path)
    except FileFormatError as error:
        raise FileFormatError(f"--labels FILE holds a whole number a row: {error}") from error
    if len(labels) != n_rows:
        raise ShapeError(f"--labels {path} has {counted(len(labels), 'label')} for {counted(n_rows, 'row')} of DATA.")
    return labels
