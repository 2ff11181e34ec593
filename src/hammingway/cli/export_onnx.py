"""``hammingway export-onnx``: a deep hasher as a model for other runtimes."""

from __future__ import annotations

from pathlib import Path

import click

from hammingway.cli import options
from hammingway.cli.options import InputFile, OutputFile
from hammingway.cli.printing import counted, report

__all__ = ["command"]


@click.command()
@click.argument("model", type=InputFile())
@click.option("--out", type=OutputFile(".onnx"), required=True, help="Where to write the ONNX model.")
@click.option("--queries", is_flag=True, help="Export what scores queries, where that differs; it gives no codes.")
@options.force_option
@options.json_option
def command(model: Path, out: Path, queries: bool, as_json: bool) -> None:
    """Export the network of the deep hasher in MODEL to ONNX, or the map of a distilled one.

    The model takes rows, float32 (n, d), and gives their scores and packed codes. Needs hammingway[onnx].
    """
    from hammingway.deep.onnx import export_onnx
    from hammingway.hashers import load_hasher

    hasher = load_hasher(model)
    export_onnx(hasher, out, queries=queries)
    facts = {"n_bits": hasher.n_bits_, "d": hasher.n_features_in_, "hasher": hasher.fingerprint()}
    sentence = f"{out}: from {counted(hasher.n_features_in_, 'value')} to {counted(hasher.n_bits_, 'bit')}."
    report(sentence, as_json=as_json, **facts, out=str(out))
