"""``hammingway encode`` writes the codes that the library gives, and who made them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hammingway import load_hasher
from hammingway.code_files import read_codes


def test_codes_are_those_of_the_library_with_the_hashers_fingerprint(run, files, vectors, tmp_path):
    result = run("encode", files / "itq.model", files / "vectors.npy", "--out", tmp_path / "c")
    assert result.stdout == f"{tmp_path / 'c'}: 300 codes of 13 bits.\n"
    hasher, stored = load_hasher(files / "itq.model"), read_codes(tmp_path / "c")
    np.testing.assert_array_equal(stored.codes.packed, hasher.encode(vectors).packed)
    assert stored.encoder == hasher.fingerprint()
    assert stored.ids is None


def test_key_chooses_the_array(run, files, vectors, tmp_path):
    np.savez(tmp_path / "two.npz", a=vectors[:, :5], b=vectors[:9])
    assert (
        run("encode", files / "itq.model", tmp_path / "two.npz", "--key", "b", "--out", tmp_path / "c").exit_code == 0
    )
    assert len(read_codes(tmp_path / "c").codes) == 9


def test_json_says_what_was_written(run, files, tmp_path):
    out = tmp_path / "c"
    result = run("encode", files / "itq.model", files / "queries.npy", "--out", out, "--json")
    encoder = load_hasher(files / "itq.model").fingerprint()
    expected = {"n": 7, "n_bits": 13, "size_bytes": 14, "encoder": encoder, "out": str(out)}
    assert json.loads(result.stdout) == expected


@pytest.mark.parametrize(
    ("model", "data", "words"),
    [
        ("absent", "vectors.npy", ["'MODEL'", "absent", "does not exist"]),
        ("itq.codes", "vectors.npy", ["itq.codes", "holds a codes", "hasher was expected"]),
        ("vectors.npy", "vectors.npy", ["vectors.npy", "not a readable hasher file of Hammingway"]),
        ("itq.model", "absent.npy", ["'DATA'", "does not exist"]),
        ("itq.model", "truncated.npy", ["truncated or damaged"]),
        ("itq.model", "wrong_width.npy", ["9 features", "24 features"]),
        ("itq.model", "nan.npy", ["NaN", "200"]),
        ("itq.model", "itq.codes", ["itq.codes", "no known format"]),
    ],
)
def test_wrong_input_is_refused_in_one_sentence_and_nothing_is_written(refused, files, tmp_path, model, data, words):
    sentence = refused("encode", files / model, files / data, "--out", tmp_path / "c")
    assert [word for word in words if word not in sentence] == []
    assert list(tmp_path.iterdir()) == []


def test_damaged_model_is_refused(refused, files, tmp_path):
    damaged = bytearray((files / "itq.model").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "m").write_bytes(damaged)
    assert "is damaged" in refused("encode", tmp_path / "m", files / "vectors.npy", "--out", tmp_path / "c")


def test_output_that_exists_is_kept_without_force(refused, files, tmp_path):
    (tmp_path / "c").write_text("precious")
    sentence = refused("encode", files / "itq.model", files / "vectors.npy", "--out", tmp_path / "c")
    assert "add --force" in sentence
    assert (tmp_path / "c").read_text() == "precious"
