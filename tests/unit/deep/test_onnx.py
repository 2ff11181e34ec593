"""The exported model gives the hasher's scores and codes, in another runtime, for any number of rows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from hammingway import registry
from hammingway.deep import DSH, AutoHash, DeepHasher
from hammingway.errors import InvalidInputError

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from hammingway.deep.onnx import export_onnx  # noqa: E402 (of no use without the extra)

TINY = {"epochs": 1}


def run(path, X, outputs=("scores", "codes")):
    """Return the outputs of the model, which are to be these."""
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == list(outputs)
    return session.run(None, {"x": X.astype(np.float32)})


def facts_of(path):
    """Return the metadata of the model, by name."""
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def assert_same_codes(hasher, path, X):
    """Codes must be equal wherever a score is further from zero than rounding reaches."""
    for n in (1, 2, 7, 65, len(X)):
        scores, codes = run(path, X[:n])
        expected = hasher.project(X[:n])
        assert_allclose(scores, expected, atol=1e-4)
        bits = np.unpackbits(codes, axis=1, bitorder="little")
        sure = np.abs(expected) > 1e-4
        assert sure.mean() > 0.95
        assert_array_equal(bits[:, : hasher.n_bits_][sure], (expected > 0)[sure])
        assert not bits[:, hasher.n_bits_ :].any()


# An export takes seconds: one stands for all in a default run.
@pytest.mark.parametrize(
    "parameters",
    [
        {"n_bits": 13, "network": {"name": "mlp", "hidden": [32, 16], "batch_norm": True, "dropout": 0.3}},
        pytest.param({"n_bits": 16, "network": "linear", "image_shape": (8, 8, 1)}, marks=pytest.mark.slow),
        pytest.param({"n_bits": 9, "network": "fast-mnist-cnn", "image_shape": (24, 24, 1)}, marks=pytest.mark.slow),
    ],
    ids=["mlp", "linear-image", "cnn"],
)
def test_exported_model_gives_the_hashers_codes(digits, tmp_path, parameters):
    X, y = digits
    if parameters.get("image_shape") == (24, 24, 1):
        X = np.kron(X.reshape(-1, 8, 8), np.ones((3, 3))).reshape(len(X), -1)
    hasher = DeepHasher(objective="hashnet", random_state=0, training={"epochs": 5}, **parameters).fit(X, y)
    hasher.thresholds_ = np.median(hasher.project(X), axis=0)  # as objectives set them that want balanced bits
    export_onnx(hasher, tmp_path / "dsh.onnx")
    assert_same_codes(hasher, tmp_path / "dsh.onnx", X)
    assert facts_of(tmp_path / "dsh.onnx") == {
        "hammingway.hasher": hasher.fingerprint(),
        "hammingway.n_bits": str(hasher.n_bits_),
        "hammingway.map": "rows",
    }


@pytest.mark.slow
def test_no_training_row_of_autohash_lies_on_a_threshold_and_gets_another_code_elsewhere(tmp_path):
    X = load_digits().data
    hasher = AutoHash(22, random_state=0, training={"epochs": 5}).fit(X)
    export_onnx(hasher, tmp_path / "autohash.onnx")
    assert_array_equal(run(tmp_path / "autohash.onnx", X)[1], hasher.encode(X).packed)


@pytest.mark.slow
def test_network_for_queries_gives_scores_alone_and_is_refused_where_there_is_none(digits, tmp_path):
    X, y = digits
    hasher = DSH(9, random_state=0, training=TINY).fit(X, y)
    with pytest.raises(InvalidInputError, match="as it scores rows"):
        export_onnx(hasher, tmp_path / "q.onnx", queries=True)
    other = DSH(9, random_state=1, training=TINY).fit(X, y)
    hasher.query_network_ = other.network_
    export_onnx(hasher, tmp_path / "q.onnx", queries=True)
    (scores,) = run(tmp_path / "q.onnx", X, outputs=["scores"])
    assert_allclose(scores, other.project(X), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_both_maps_of_a_distilled_hasher_are_exported(digits, tmp_path, metric):
    X, _ = digits
    hasher = registry.load("hashers", "distilled")(13, metric=metric, n_steps=20, random_state=0).fit(X)
    X = np.vstack([X, np.zeros_like(X[:1])])  # a row that cannot be brought to length 1
    export_onnx(hasher, tmp_path / "codes.onnx")
    assert_same_codes(hasher, tmp_path / "codes.onnx", X)
    export_onnx(hasher, tmp_path / "queries.onnx", queries=True)
    assert facts_of(tmp_path / "codes.onnx") == facts_of(tmp_path / "queries.onnx") | {"hammingway.map": "rows"}
    assert facts_of(tmp_path / "queries.onnx")["hammingway.map"] == "queries"
    expected = hasher.project_queries(X)
    (scores,) = run(tmp_path / "queries.onnx", X, outputs=["scores"])
    assert_allclose(scores, expected, atol=1e-5 * np.abs(expected).max())
    assert np.abs(expected - hasher.project(X)).max() > 0.1


@pytest.mark.slow
def test_command_writes_the_model(digits, tmp_path):
    from click.testing import CliRunner

    from hammingway.cli.main import main

    X, y = digits
    DSH(9, random_state=0, training=TINY).fit(X, y).save(tmp_path / "dsh.hasher")
    registry.load("hashers", "itq")(9, random_state=0).fit(X).save(tmp_path / "itq.hasher")

    def invoke(model):
        return CliRunner().invoke(main, ["export-onnx", str(tmp_path / model), "--out", str(tmp_path / "x.onnx")])

    assert "give a deep hasher, or one of the kind 'distilled'" in invoke("itq.hasher").stderr
    result = invoke("dsh.hasher")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'x.onnx'}: from 64 values to 9 bits.\n"
    assert run(tmp_path / "x.onnx", X)[1].shape == (300, 2)
