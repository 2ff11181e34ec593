"""``hammingway index`` saves the index that the library builds, with its options and ids."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hammingway import FlatIndex, load_hasher
from hammingway.code_files import read_codes
from hammingway.indexes import IVFIndex, MultiIndex, TableIndex, load_index


@pytest.mark.parametrize(
    ("kind", "made"), [("flat", FlatIndex), ("ivf", IVFIndex), ("multi", MultiIndex), ("table", TableIndex)]
)
def test_index_of_each_kind_answers_as_the_librarys(kind, made, run, files, tmp_path):
    result = run("index", files / "numbered.codes", "--kind", kind, "--out", tmp_path / "i")
    assert result.stdout == f"{tmp_path / 'i'}: {kind} index of 300 codes of 13 bits.\n"
    stored, queries = read_codes(files / "numbered.codes"), read_codes(files / "queries.codes").codes
    options = {"bits": 8} if kind == "table" else {}  # 300 codes fill 2^8 buckets
    expected = made(13, **options).add(stored.codes, stored.ids).search(queries, 5)
    loaded = load_index(tmp_path / "i")
    assert type(loaded) is made
    found = loaded.search(queries, 5)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.distances, expected.distances)


def test_options_are_kept_in_the_file(run, files, tmp_path):
    settings = ["--set", "n_cells=3", "--set", "n_probe=2"]
    assert run("index", files / "itq.codes", "--kind", "ivf", *settings, "--out", tmp_path / "i").exit_code == 0
    index = load_index(tmp_path / "i")
    assert (index.n_cells, index.n_probe) == (3, 2)
    settings = ["--set", "bits=[4,1,2]", "--set", "max_probes=5"]
    assert run("index", files / "itq.codes", "--kind", "table", *settings, "--out", tmp_path / "t").exit_code == 0
    index = load_index(tmp_path / "t")
    assert index.max_probes == 5
    assert list(index.bits) == [4, 1, 2]
    assert (
        run("index", files / "itq.codes", "--kind", "table", "--set", "bits=3", "--out", tmp_path / "n").exit_code == 0
    )
    assert list(load_index(tmp_path / "n").bits) == [0, 1, 2]
    assert (
        run("index", files / "itq.codes", "--kind", "multi", "--set", "n_tables=2", "--out", tmp_path / "m").exit_code
        == 0
    )
    assert load_index(tmp_path / "m").n_tables == 2


@pytest.mark.parametrize("kind", ["flat", "ivf", "multi", "table"])
@pytest.mark.parametrize("source", [["itq.codes"], ["vectors.npy", "--model", "itq.model"]])
def test_the_index_remembers_the_encoder(kind, source, run, files, tmp_path, monkeypatch):
    monkeypatch.chdir(files)
    result = run("index", *source, "--kind", kind, "--out", tmp_path / "i", "--json")
    fingerprint = load_hasher(files / "itq.model").fingerprint()
    assert json.loads(result.stdout)["encoder"] == fingerprint
    assert load_index(tmp_path / "i").encoder == fingerprint


def test_codes_of_an_unknown_encoder_give_an_index_that_names_none(run, files, tmp_path):
    assert (
        json.loads(run("index", files / "unsigned.codes", "--out", tmp_path / "i", "--json").stdout)["encoder"] is None
    )
    assert load_index(tmp_path / "i").encoder is None


def test_vectors_are_encoded_by_the_model(run, files, vectors, tmp_path):
    arguments = "--model", files / "itq.model", "--out", tmp_path / "i", "--json"
    result = run("index", files / "vectors.npy", *arguments)
    hasher = load_hasher(files / "itq.model")
    facts = {"kind": "flat", "n": 300, "n_bits": 13, "encoder": hasher.fingerprint(), "out": str(tmp_path / "i")}
    assert json.loads(result.stdout) == facts
    codes = hasher.encode(vectors)
    np.testing.assert_array_equal(FlatIndex.load(tmp_path / "i").reconstruct(np.arange(300)).packed, codes.packed)


def test_ids_of_a_file_replace_those_of_the_codes(run, files, tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(300) + 7)
    arguments = "--ids", tmp_path / "ids.npy", "--out", tmp_path / "i"
    assert run("index", files / "numbered.codes", *arguments).exit_code == 0
    np.testing.assert_array_equal(load_index(tmp_path / "i").ids, np.arange(300) + 7)


def test_flat_index_serves_an_index_of_tables(run, files, tmp_path):
    run("index", files / "itq.codes", "--out", tmp_path / "i")
    queries = read_codes(files / "queries.codes").codes
    expected = load_index(tmp_path / "i").search(queries, 4)
    np.testing.assert_array_equal(MultiIndex.load(tmp_path / "i", n_tables=2).search(queries, 4).ids, expected.ids)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["itq.codes", "--kind", "table", "--set", "max_prob=4"], ["'max_prob'", "Did you mean 'max_probes'?"]),
        (["itq.codes", "--kind", "table", "--set", "n_threads=4"], ["no option 'n_threads'"]),
        (["itq.codes", "--kind", "table", "--set", "bits=[0,99]"], ["bits"]),
        (["itq.codes", "--kind", "table", "--set", "bits=abc"], ["bits"]),
        (["itq.codes", "--set", "n_probe=4"], ["'flat' has no options", "'n_probe'"]),
        (["itq.codes", "--kind", "ivf", "--set", "n_probe=x"], ["n_probe must be a whole number", "'x'"]),
        (["itq.codes", "--kind", "tables"], ["'tables' is not one of"]),
        (["itq.codes", "--kind", "multi", "--set", "n_tables=14"], ["13-bit codes have at most 13 substrings"]),
        (["itq.codes", "--key", "a"], ["--key", "--model"]),
        (["vectors.npy"], ["no file of codes", "--model"]),
        (["truncated.codes"], ["truncated.codes"]),
        (["itq.codes", "--ids", "text.txt"], ["text.txt holds no ids", "np.save"]),
        (["itq.codes", "--ids", "labels.npy"], ["id"]),
        (["itq.codes", "--ids", "vectors.npy"], ["ids"]),
        (["queries.codes", "--ids", "labels.npy"], ["7", "300"]),
    ],
)
def test_refusals_say_what_to_do_and_leave_nothing(arguments, words, refused, files, tmp_path):
    named = [files / word if (files / word).is_file() else word for word in arguments]
    sentence = refused("index", *named, "--out", tmp_path / "i")
    assert all(word in sentence for word in words), sentence
    assert not list(tmp_path.iterdir())
