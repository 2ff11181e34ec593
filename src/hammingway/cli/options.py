"""Options and parameter types that several commands share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hammingway.errors import UnknownNameError
from hammingway.suggest import did_you_mean

__all__ = [
    "BITS",
    "COUNT",
    "InputFile",
    "KeyValue",
    "OutputFile",
    "PathValue",
    "RegisteredName",
    "bits_option",
    "force_option",
    "json_option",
    "key_option",
    "param_option",
    "query_bits_option",
    "refuse_idle",
    "rerank_options",
    "seed_option",
    "set_option",
    "tensorboard_option",
    "threads_option",
]

F = TypeVar("F", bound=Callable[..., Any])

BITS = click.IntRange(1, 4096)  # hammingway.codes.MAX_BITS, which would import NumPy
COUNT = click.IntRange(1, 2**31 - 1)
_FORCE = "hammingway.cli.force"
_FILES = "hammingway.cli.files"


class InputFile(click.Path):
    """An existing, readable file, given as a Path.

    Parameters
    ----------
    folder : whether it may be a folder too, of class folders of vectors.
    """

    name = "file"

    def __init__(self, *, folder: bool = False) -> None:
        super().__init__(exists=True, dir_okay=folder, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail with the remedy."""
        if _is_collection(Path(os.fsdecode(value))):
            self.fail(
                f"{os.fsdecode(value)!r} is a collection, where a file is wanted; 'hammingway collection search' "
                "searches it, and 'hammingway collection --help' lists what else there is for it.",
                param,
                ctx,
            )
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        _refuse_shared(self, path, param, ctx)
        return path


class OutputFile(click.Path):
    """A file to be written: its folder must exist, and it must not, unless ``--force`` was given.

    Checked before any work, so that an hour of it is not lost to a misspelt folder.

    Parameters
    ----------
    endings : of the formats that can be written, such as ".npy"; any name will do if there are none.
    """

    name = "file"

    def __init__(self, *endings: str) -> None:
        super().__init__(dir_okay=False, path_type=Path)
        self.endings = endings

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail with the remedy."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if self.endings and path.suffix.lower() not in self.endings:
            self.fail(
                f"{str(path)!r} should end in {' or '.join(self.endings)}: the ending tells the format.", param, ctx
            )
        if not path.parent.is_dir():
            self.fail(f"the folder {str(path.parent)!r} does not exist; create it first.", param, ctx)
        if not os.access(path.parent, os.W_OK):
            self.fail(f"the folder {str(path.parent)!r} cannot be written to; choose another.", param, ctx)
        if path.exists() and not path.is_file():
            self.fail(f"{str(path)!r} is not a regular file; choose another path.", param, ctx)
        if path.exists() and not (ctx is not None and ctx.meta.get(_FORCE)):
            self.fail(f"{str(path)!r} exists; add --force to replace it.", param, ctx)
        _refuse_shared(self, path, param, ctx)
        return path


def _is_collection(path: Path) -> bool:
    return (path / "collection.db").is_file()  # as hammingway.collection.database has it, which would import NumPy


def _refuse_shared(kind: click.Path, path: Path, param: click.Parameter | None, ctx: click.Context | None) -> None:
    """Fail if ``path`` is an output and also another argument of the command: --force must not cost an input."""
    if ctx is None or param is None:
        return
    files: dict[str, tuple[str, Path, bool]] = ctx.meta.setdefault(_FILES, {})
    written = isinstance(kind, OutputFile)
    for name, (other_hint, other, other_written) in files.items():
        if name != param.name and (written or other_written) and _same_file(path, other):
            kind.fail(f"{str(path)!r} is also {other_hint}; choose another path.", param, ctx)
    files[param.name or ""] = (param.get_error_hint(ctx), path, written)


def _same_file(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


class RegisteredName(click.ParamType[str]):
    """A name in the registry; an unknown one fails with the nearest names."""

    name = "name"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or fail with a suggestion."""
        from hammingway import registry

        known = registry.names(self.kind)
        if value not in known:
            self.fail(
                str(UnknownNameError(f"No {self.kind} named {value!r}. {did_you_mean(value, known)}")), param, ctx
            )
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """Return the registered names that begin as typed."""
        from click.shell_completion import CompletionItem

        from hammingway import registry

        return [CompletionItem(name) for name in registry.names(self.kind) if name.startswith(incomplete)]


class PathValue(click.ParamType[tuple[str, Any]]):
    """``path=value``, the path dotted, the value a JSON number, list, true, false, null, or else text."""

    name = "path=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Return (path, value)."""
        path, equals, text = str(value).partition("=")
        if not equals or not all(part.isidentifier() for part in path.split(".")):
            self.fail(f"{value!r} is not of the form path=value, as in training.epochs=50.", param, ctx)
        return path, _json_or_text(text)


class KeyValue(click.ParamType[tuple[str, Any]]):
    """``key=value``, the value a JSON number, true, false, null, or else text."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Return (key, value)."""
        key, equals, text = str(value).partition("=")
        if not equals or not key.isidentifier():
            self.fail(f"{value!r} is not of the form key=value, as in n_iterations=50.", param, ctx)
        return key, _json_or_text(text)


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or numbers and nesting beyond what Python reads
        return text


def bits_option(command: F) -> F:
    """Add ``--bits`` as ``n_bits``."""
    text = "Bits a code, at most 4096; if not given, what the hasher's own default says."
    return click.option("--bits", "n_bits", metavar="N", type=BITS, help=text)(command)


def force_option(command: F) -> F:
    """Add ``--force``; every OutputFile of the command obeys it."""

    def remember(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        ctx.meta[_FORCE] = value

    return click.option(
        "--force",
        is_flag=True,
        is_eager=True,  # decided before any OutputFile is looked at
        expose_value=False,
        callback=remember,
        help="Replace outputs that exist; without it they are left alone and the command refuses to run.",
    )(command)


def json_option(command: F) -> F:
    """Add ``--json`` as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout, for programs.")(command)


def key_option(command: F) -> F:
    """Add ``--key``."""
    text = "Which array of an HDF5 or npz file, or column of a parquet file, holds the vectors."
    return click.option("--key", metavar="NAME", help=text)(command)


def param_option(command: F) -> F:
    """Add ``--param``, repeatable, as ``params``: a tuple of (key, value)."""
    text = "A parameter of the hasher, as in n_iterations=50 or prefix_bits=[64,128]; repeatable."
    return click.option("--param", "params", type=KeyValue(), multiple=True, help=text)(command)


def query_bits_option(command: F) -> F:
    """Add ``--query-bits``, which goes with ``--asymmetric``."""
    text = "Bits a score is rounded to, with --asymmetric."
    return click.option("--query-bits", type=click.Choice(["4", "8"]), default="8", help=text)(command)


def rerank_options(command: F) -> F:
    """Add ``--metric`` and ``--vectors``, which go with ``--rerank``."""
    names = click.Choice(["cosine", "inner-product", "euclidean"])
    text = "The queries' vectors for --rerank, where QUERIES are codes."
    command = click.option("--vectors", type=InputFile(), help=text)(command)
    return click.option("--metric", type=names, default="cosine", help="What --rerank ranks by.")(command)


def refuse_idle(ctx: click.Context, *, asymmetric: str, rerank: str) -> None:
    """Raise click.UsageError where an option was typed without the one it belongs to, and would do nothing.

    Parameters
    ----------
    asymmetric, rerank : what the command calls the values of these options.
    """
    ranking = asymmetric, "--asymmetric", "--asymmetric"
    reranking = rerank, "--rerank", "--rerank N"
    needs = {
        "query_bits": ranking,
        "prefix_bits": ranking,
        "metric": reranking,
        "vectors": reranking,
    }
    for name, (needed, option, typed) in needs.items():
        given = ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and not ctx.params[needed]:
            idle = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{idle} is for {option}; add {typed}, or leave {idle} out.")


def set_option(command: F) -> F:
    """Add ``--set``, repeatable, as ``settings``: a tuple of (path, value)."""
    text = "An option of a deep hasher's objective, network or training, as in training.epochs=50; repeatable."
    return click.option("--set", "settings", type=PathValue(), multiple=True, help=text)(command)


def seed_option(command: F) -> F:
    """Add ``--seed``."""
    text = "Seed of everything random; the same seed gives the same codes."
    return click.option("--seed", metavar="N", type=click.IntRange(0, 2**32 - 1), default=0, help=text)(command)


def tensorboard_option(command: F) -> F:
    """Add ``--tensorboard``."""
    text = "Write TensorBoard's event files beside the log of a deep hasher, too. Needs hammingway[tensorboard]."
    return click.option("--tensorboard", is_flag=True, help=text)(command)


def threads_option(command: F) -> F:
    """Add ``--threads`` as ``n_threads``."""
    text = "Threads to search with; all cores this process may use if not given. Results do not depend on it."
    return click.option("--threads", "n_threads", metavar="N", type=COUNT, help=text)(command)
