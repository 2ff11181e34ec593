"""``hammingway convert`` keeps every value through every pair of formats that can hold it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hammingway.datasets.formats import detect, read_vectors

WHOLE = np.arange(60, dtype=np.uint8).reshape(12, 5)
ENDINGS = ["npy", "fvecs", "ivecs", "bvecs", "fbin", "f16bin", "u8bin", "i8bin", "ibin", "hdf5", "parquet"]


@pytest.mark.parametrize("target", ENDINGS)
@pytest.mark.parametrize("source", ENDINGS)
def test_values_survive_every_pair_of_formats(run, tmp_path, source, target):
    np.save(tmp_path / "start.npy", WHOLE)
    there, back = tmp_path / f"a.{source}", tmp_path / f"b.{target}"
    assert run("convert", tmp_path / "start.npy", there).exit_code == 0
    result = run("convert", there, back)
    assert result.exit_code == 0, result.output
    assert detect(back) == target
    np.testing.assert_array_equal(read_vectors(back), WHOLE)


def test_json_says_what_was_converted(run, tmp_path):
    np.save(tmp_path / "a.npy", WHOLE)
    result = run("convert", tmp_path / "a.npy", tmp_path / "b.fvecs", "--json")
    expected = {"n": 12, "d": 5, "source_format": "npy", "format": "fvecs", "out": str(tmp_path / "b.fvecs")}
    assert json.loads(result.stdout) == expected


def test_text_says_what_was_converted(run, tmp_path):
    np.save(tmp_path / "a.npy", WHOLE)
    assert (
        run("convert", tmp_path / "a.npy", tmp_path / "b.bvecs").stdout == f"{tmp_path / 'b.bvecs'}: 12 x 5, bvecs.\n"
    )


def test_keys_choose_arrays_on_both_sides(run, tmp_path):
    np.savez(tmp_path / "a.npz", one=WHOLE[:3], two=WHOLE)
    assert run("convert", tmp_path / "a.npz", tmp_path / "b.h5", "--key", "two", "--target-key", "test").exit_code == 0
    np.testing.assert_array_equal(read_vectors(tmp_path / "b.h5", key="test"), WHOLE)


@pytest.mark.parametrize(
    ("source", "target", "options", "words"),
    [
        ("absent.npy", "b.fvecs", [], ["'SOURCE'", "does not exist"]),
        ("truncated.npy", "b.fvecs", [], ["truncated or damaged"]),
        ("text.txt", "b.fvecs", [], ["no known format", ".fvecs"]),
        ("vectors.npy", "b.txt", [], ["the ending tells the format", ".fvecs"]),
        ("vectors.npy", "b.npz", [], ["npz files are only read"]),
        ("vectors.npy", "b.u8bin", [], ["float32", "uint8", "wider type"]),
        ("vectors.npy", "absent/b.npy", [], ["'TARGET'", "absent", "create it first"]),
        ("vectors.npy", "b.fvecs", ["--key", "x"], ["--key 'x' has no meaning"]),
    ],
)
def test_wrong_input_is_refused_in_one_sentence_and_nothing_is_written(
    refused, files, tmp_path, source, target, options, words
):
    sentence = refused("convert", files / source, tmp_path / target, *options)
    assert [word for word in words if word not in sentence] == []
    assert list(tmp_path.iterdir()) == []


def test_output_that_exists_is_kept_without_force_and_replaced_with_it(run, refused, files, tmp_path):
    target = tmp_path / "b.npy"
    target.write_text("precious")
    assert "add --force" in refused("convert", files / "vectors.npy", target)
    assert target.read_text() == "precious"
    assert run("convert", files / "vectors.npy", target, "--force").exit_code == 0
    np.testing.assert_array_equal(np.load(target), np.load(files / "vectors.npy"))


def test_file_is_never_converted_onto_itself(refused, tmp_path):
    np.save(tmp_path / "a.npy", WHOLE)
    sentence = refused("convert", tmp_path / "a.npy", tmp_path / "a.npy", "--force")
    assert "is also 'SOURCE'; choose another path" in sentence
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), WHOLE)
