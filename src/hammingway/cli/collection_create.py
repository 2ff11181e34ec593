"""``hammingway collection create``: an empty collection, with its encoder if one is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hammingway.cli import collection_inputs as inputs
from hammingway.cli import options
from hammingway.cli.options import InputFile, RegisteredName
from hammingway.cli.printing import report
from hammingway.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from hammingway.hashers.base import Hasher

__all__ = ["command"]


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--model", type=InputFile(), help="The fitted hasher to store as the encoder.")
@click.option("--hasher", "name", type=RegisteredName("hashers"), help="Fit this hasher on --train and store it.")
@click.option("--train", type=InputFile(), help="Vectors to fit --hasher on.")
@options.bits_option
@click.option("--id-type", type=click.Choice(["integer", "string"]), default="integer", help="What ids are.")
@click.option(
    "--originals",
    type=click.Choice(["float32", "float16", "int8"]),
    help="Keep added vectors too, in this type, for --rerank; if not given they are not kept.",
)
@options.seed_option
@options.param_option
@options.key_option
@options.json_option
def command(
    path: Path,
    model: Path | None,
    name: str | None,
    train: Path | None,
    n_bits: int | None,
    id_type: str,
    originals: str | None,
    seed: int,
    params: tuple[tuple[str, Any], ...],
    key: str | None,
    as_json: bool,
) -> None:
    """Write an empty collection to PATH, where nothing is yet.

    Its encoder is the hasher in --model, or --hasher fitted on the vectors in --train. With --bits alone it
    stores none, and takes codes of that width from anywhere.
    """
    from hammingway.collection import Collection

    hasher = _encoder(model, name, train, n_bits, seed=seed, params=params, key=key)
    width = n_bits if hasher is None else None
    kinds: dict[str, Any] = {"id_type": id_type, "originals": originals}
    with inputs.in_shell_words(), Collection.create(path, encoder=hasher, n_bits=width, **kinds) as collection:
        facts = {"path": str(path), "n_bits": collection.n_bits, "encoder": collection.encoder_fingerprint, **kinds}
    sentence = f"{path}: an empty collection of {facts['n_bits']}-bit codes under {id_type} ids."
    report(sentence, as_json=as_json, **facts)


def _encoder(
    model: Path | None,
    name: str | None,
    train: Path | None,
    n_bits: int | None,
    *,
    seed: int,
    params: tuple[tuple[str, Any], ...],
    key: str | None,
) -> Hasher | None:
    """Return the hasher that the options ask for; None where only a width is given."""
    if (name is None) != (train is None):
        raise click.UsageError("--hasher and --train go together; give both, or --model.")
    if model is not None:
        if name is not None or n_bits is not None:
            raise click.UsageError("--model has its own hasher and width; leave out --hasher, --train and --bits.")
        from hammingway.hashers import load_hasher

        return load_hasher(model)
    if name is None or train is None:
        if n_bits is None:
            raise click.UsageError("Say which codes it will hold: give --model, --hasher with --train, or --bits.")
        return None
    from hammingway.cli.hasher_choice import make_hasher
    from hammingway.cli.reading import open_vectors

    hasher = make_hasher(name, n_bits, seed=seed, params=params)
    if hasher.__sklearn_tags__().target_tags.required:
        raise click.UsageError(
            f"{name} learns from classes; fit it by 'hammingway fit --labels FILE', and give the file as --model."
        )
    X = open_vectors(train, key=key)
    with progress_bar(f"fitting {name}") as progress:
        return hasher.fit(X, progress=progress)
