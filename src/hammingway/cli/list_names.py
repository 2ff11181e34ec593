"""``hammingway list``: the names that other commands accept."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator

import click

from hammingway.cli.options import json_option

__all__ = ["command"]

KINDS = ("hashers", "objectives", "networks", "indexes", "datasets", "metrics", "formats")
WITH_OPTIONS = ("hashers", "objectives", "networks")
TRAINING = "training"
FORMATS = {
    "npy": "NumPy array of any number type (.npy); memory-mapped.",
    "npz": "NumPy archive (.npz), one array by --key; only read.",
    "fvecs": "Rows of int32 d, then d float32 (.fvecs); memory-mapped.",
    "ivecs": "Rows of int32 d, then d int32 (.ivecs), usually ids of neighbours; memory-mapped.",
    "bvecs": "Rows of int32 d, then d uint8 (.bvecs); memory-mapped.",
    "fbin": "big-ann float32: uint32 n and d, then the rows (.fbin); memory-mapped.",
    "f16bin": "big-ann float16 (.f16bin); memory-mapped.",
    "u8bin": "big-ann uint8 (.u8bin); memory-mapped.",
    "i8bin": "big-ann int8 (.i8bin); memory-mapped.",
    "ibin": "big-ann int32 (.ibin): rows, or true neighbours with their distances; memory-mapped.",
    "hdf5": "ann-benchmarks HDF5 (.hdf5, .h5), one array by --key, 'train' if not given.",
    "parquet": "Parquet with a vector a row (.parquet), one column by --key, 'emb' if not given.",
    "class-folders": "A folder with a folder a class, an npy file a vector: root/<class>/<name>.npy; only read.",
}


@click.command()
@click.argument("kind", type=click.Choice((*KINDS, TRAINING)), required=False, metavar="[KIND]")
@click.argument("name", required=False)
@json_option
def command(kind: str | None, name: str | None, as_json: bool) -> None:
    """List hashers, objectives and networks of deep ones, indexes, data sets, metrics and file formats.

    With a KIND (hashers, objectives, networks, indexes, datasets, metrics, formats or training), only these.
    Each name comes with a line on what it is.

    'list hashers NAME' lists the parameters of one with their defaults, as --bits N and --param NAME=VALUE set
    them. 'list objectives NAME' and 'list networks NAME' list the options of one, 'list training' those of a
    training, as --set takes them behind 'objective.', 'network.' and 'training.'.
    """
    if name is not None or kind == TRAINING:
        _show_options(kind, name, as_json=as_json)
        return
    table = {name: _summaries(name) for name in ([kind] if kind else KINDS)}
    if as_json:
        click.echo(json.dumps(table, indent=2))
    else:
        click.echo("\n\n".join("\n".join(_section(name, entries.items())) for name, entries in table.items()))


def _show_options(kind: str | None, name: str | None, *, as_json: bool) -> None:
    from hammingway.cli.option_lists import hasher_parameters, options_of, training_options, typed, typed_parameter

    spelling = typed_parameter if kind == "hashers" else typed
    if kind == TRAINING and name is None:
        table, title = training_options(), TRAINING
    elif kind in WITH_OPTIONS and name is not None:
        table = hasher_parameters(name) if kind == "hashers" else options_of(kind, name)
        title = f"{kind.removesuffix('s')} {name}"
    else:
        raise click.UsageError(
            f"only {', '.join(WITH_OPTIONS[:-1])} and {WITH_OPTIONS[-1]} have options by NAME; leave {name!r} out."
        )
    if as_json:
        click.echo(json.dumps(table, indent=2))
        return
    entries = {spelling(option, facts["default"]): facts["what"] for option, facts in table.items()}
    click.echo("\n".join(_section(title, entries.items())) if entries else f"{title}: no options")


def _summaries(kind: str) -> dict[str, str]:
    """Return name -> line, for one of KINDS."""
    if kind == "formats":
        return FORMATS
    from hammingway.cli.summaries import summaries

    return summaries(kind)


def _section(title: str, entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    entries = list(entries)
    width = max((len(name) for name, _ in entries), default=0)
    yield f"{title}:"
    for name, line in entries:
        yield from _folded(f"  {name:<{width}}  {line}".rstrip(), indent=width + 4)


def _folded(line: str, *, indent: int) -> list[str]:
    """Return ``line`` as a terminal can show it; a file or pipe gets it whole, for grep."""
    if not sys.stdout.isatty():
        return [line]
    columns = max(shutil.get_terminal_size().columns, indent + 20)
    return textwrap.wrap(line, columns, subsequent_indent=" " * indent)
