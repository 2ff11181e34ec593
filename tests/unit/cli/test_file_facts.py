"""``hammingway info FILE`` says what a file is and holds, and gives commands that take it."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest

from hammingway import (
    Codes,
    Collection,
    FlatIndex,
    IVFIndex,
    MultiIndex,
    RandomHyperplanes,
    TableIndex,
    load_hasher,
    registry,
)
from hammingway.code_files import read_codes, write_codes
from hammingway.datasets.formats import FORMAT_NAMES, write_neighbors, write_vectors
from hammingway.storage import write_arrays


@pytest.fixture
def told(run):
    """Return a function that gives what is told of a file."""

    def tell(*arguments):
        result = run("info", *arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return tell


def test_codes(told, files):
    encoder = load_hasher(files / "itq.model").fingerprint()
    facts = told(files / "itq.codes")
    del facts["next"]
    assert facts == {
        "path": str(files / "itq.codes"),
        "kind": "codes",
        "bytes": len((files / "itq.codes").read_bytes()),
        "n": 300,
        "n_bits": 13,
        "dtype": "uint8",
        "ids": "counted from 0",
        "encoder": encoder,
    }
    assert told(files / "numbered.codes")["ids"] == "stored"
    assert told(files / "unsigned.codes")["encoder"] is None


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 63, 64, 65])
@pytest.mark.parametrize("n", [0, 1, 9])
def test_codes_of_any_width_and_number(told, tmp_path, n, n_bits):
    write_codes(tmp_path / "c", Codes.from_bits(np.ones((n, n_bits), np.uint8)))
    assert (told(tmp_path / "c")["n"], told(tmp_path / "c")["n_bits"]) == (n, n_bits)


def test_a_hasher_with_its_name_and_parameters(told, files):
    facts = told(files / "itq.model")
    hasher = load_hasher(files / "itq.model")
    assert (facts["kind"], facts["hasher"], facts["n_features"], facts["n_bits"]) == ("hasher", "itq", 24, 13)
    assert facts["parameters"] == hasher.get_params()
    assert facts["fingerprint"] == hasher.fingerprint()
    assert registry.load("hashers", facts["hasher"]) is type(hasher)


INDEXES = [
    (FlatIndex(13), {}),
    (IVFIndex(13, n_cells=2, n_probe=3), {"n_cells": 2, "n_probe": 3, "random_state": 0}),
    (MultiIndex(13, n_tables=2), {"n_tables": 2}),
    (
        TableIndex(13, bits=[3, 1], max_probes=7),
        {"bits": [3, 1], "max_flips": None, "max_probes": 7, "max_candidates": None},
    ),
]


@pytest.mark.parametrize(("index", "options"), INDEXES, ids=lambda value: type(value).__name__)
def test_an_index_of_any_kind(told, files, tmp_path, index, options):
    index.add(read_codes(files / "itq.codes"))
    index.remove([4, 5])
    index.save(tmp_path / "i")
    facts = told(tmp_path / "i")
    del facts["next"]
    assert facts == {
        "path": str(tmp_path / "i"),
        "kind": "index",
        "bytes": len((tmp_path / "i").read_bytes()),
        "index": type(index).__name__,
        "exact": type(index) in (FlatIndex, MultiIndex),
        "n": 298,
        "n_bits": 13,
        "options": options,
        "encoder": load_hasher(files / "itq.model").fingerprint(),
    }


def test_a_collection(told, files, vectors, tmp_path):
    hasher = load_hasher(files / "itq.model")
    with Collection.create(tmp_path / "c", encoder=hasher, id_type="string") as collection:
        collection.add(vectors[:40], ids=[f"item {i}" for i in range(40)])
        collection.delete(["item 3"])
    facts = told(tmp_path / "c")
    assert (facts["kind"], facts["n"], facts["n_bits"], facts["id_type"]) == ("collection", 39, 13, "string")
    assert facts["encoder"] == hasher.fingerprint()
    with Collection.open(tmp_path / "c", read_only=True) as collection:
        assert facts["bytes"] == collection.stats().disk_bytes


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_vectors_in_every_format(told, run, tmp_path, name):
    X = np.arange(15).reshape(5, 3)
    dtypes = {"fvecs": "f4", "fbin": "f4", "f16bin": "f2", "ivecs": "i4", "ibin": "i4", "bvecs": "u1", "u8bin": "u1"}
    X = X.astype(dtypes.get(name, "i1" if name == "i8bin" else "f4"))
    path = tmp_path / f"v.{name}"
    if name == "npz":
        np.savez(path, only=X)
    else:
        write_vectors(path, X, format=name)
    facts = told(path)
    assert (facts["kind"], facts["format"], facts["n"], facts["d"]) == ("vectors", name, 5, 3)
    assert facts["dtype"] == str(X.dtype)
    assert facts["bytes"] == len(path.read_bytes())


def test_images_are_vectors_of_all_their_pixels(told, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 6, 3), np.uint8))
    facts = told(tmp_path / "a.npy")
    assert (facts["kind"], facts["n"], facts["d"], facts["dtype"]) == ("vectors", 4, 90, "uint8")


def test_folders_of_classes(told, tmp_path):
    for name in ("cat", "dog", "eel"):
        (tmp_path / "root" / name).mkdir(parents=True)
        np.save(tmp_path / "root" / name / "0.npy", np.ones((2, 2), np.float32))
    facts = told(tmp_path / "root")
    assert (facts["kind"], facts["format"], facts["n"], facts["d"]) == ("vectors", "class-folders", 3, 4)
    assert (facts["classes"], facts["dtype"]) == (3, "float32")
    assert facts["bytes"] == 3 * (tmp_path / "root" / "cat" / "0.npy").stat().st_size


def test_labels_numbers_and_neighbours_are_no_vectors(told, files, tmp_path):
    assert (told(files / "labels.npy")["kind"], told(files / "labels.npy")["n"]) == ("labels", 300)
    np.save(tmp_path / "w.npy", np.ones(4))
    assert (told(tmp_path / "w.npy")["kind"], told(tmp_path / "w.npy")["next"]) == ("numbers", [])
    write_neighbors(tmp_path / "t.ibin", np.array([[1, 2], [3, 4], [5, 6]]), np.zeros((3, 2), np.float32))
    facts = told(tmp_path / "t.ibin")
    assert (facts["kind"], facts["format"], facts["n"], facts["d"]) == ("neighbours", "ibin-truth", 3, 2)


@pytest.mark.parametrize("shape", [(), (4, 0), (0, 0)])
def test_an_array_that_is_neither_vectors_nor_labels_is_refused(refused, tmp_path, shape):
    np.save(tmp_path / "a.npy", np.ones(shape))
    assert f"a.npy holds an array of shape {shape}" in refused("info", tmp_path / "a.npy")


def test_an_array_among_several_is_named(told, refused, tmp_path):
    np.savez(tmp_path / "two.npz", a=np.ones((4, 2)), b=np.ones((3, 7), np.float32))
    assert "2 arrays (a, b)" in refused("info", tmp_path / "two.npz")
    facts = told(tmp_path / "two.npz", "--key", "b")
    assert (facts["n"], facts["d"], facts["dtype"]) == (3, 7, "float32")
    assert all(" --key b " in line for line in facts["next"])


def test_other_sealed_files_are_named_and_checked(told, refused, tmp_path):
    path = tmp_path / "state"
    write_arrays(path, {"a": np.arange(9), "b": np.ones(2)}, kind="training-checkpoint", header={})
    assert (told(path)["kind"], told(path)["arrays"]) == ("training-checkpoint", 2)
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    assert "is damaged: array" in refused("info", path)


SUBJECTS = ["itq.codes", "itq.model", "itq.index", "vectors.npy", "labels.npy", "a collection", "truth.ibin"]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_commands_that_are_named_work(told, run, files, vectors, tmp_path, monkeypatch, subject):
    monkeypatch.chdir(tmp_path)
    path = files / subject
    if subject == "a collection":
        path = tmp_path / subject
        with Collection.create(path, encoder=load_hasher(files / "itq.model")) as collection:
            collection.add(vectors[:40])
    if subject == "truth.ibin":
        path = tmp_path / subject
        write_neighbors(path, np.array([[1, 2], [3, 4]]), np.zeros((2, 2), np.float32))
    commands = told(path)["next"]
    assert commands
    inputs = {"QUERIES": "queries.npy", "VECTORS": "vectors.npy", "MODEL": "itq.model"}
    for number, command in enumerate(commands):
        words = shlex.split(command)
        typed = [files / inputs[word] if word in inputs else word for word in words[1:]]
        if words[-2] == "--out":
            typed[-1] = tmp_path / f"{number}.{words[-1]}"  # such as MODEL, which is an input elsewhere
        result = run(*typed)
        assert result.exit_code == 0, (command, result.output)


def test_the_commands_for_a_name_that_looks_like_an_option_take_it_as_a_file(told, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("-k.npy", np.random.default_rng(0).standard_normal((50, 8)))
    command = told("./-k.npy")["next"][0]
    assert run(*shlex.split(command)[1:]).exit_code == 0, command
    assert (tmp_path / "MODEL").is_file()


def test_text_has_a_line_for_each_fact(run, files):
    lines = run("info", files / "itq.index").stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[:8]] == [
        *("path", "kind", "bytes", "index", "exact", "n", "n bits", "options"),
    ]
    assert lines[4].split() == ["exact", "yes"]
    assert lines[7].split() == ["options", "none"]
    assert lines[8].split() == ["encoder", "unknown"]
    assert lines[9] == f"next: hammingway search {files / 'itq.index'} QUERIES --model MODEL"
    model = run("info", files / "itq.model").stdout
    assert "n_bits=13, " in model
    assert "random_state=0" in model


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text.txt", ["text.txt is of no known format"]),
        ("truncated.npy", ["truncated or damaged"]),
        ("truncated.codes", ["not a readable saved file of Hammingway"]),
        ("absent", ["does not exist"]),
        ("", ["is no collection, and no folder of vectors"]),
    ],
)
def test_what_is_unknown_or_damaged_is_refused_in_one_sentence(refused, files, name, words):
    sentence = refused("info", files / name)
    assert [word for word in words if word not in sentence] == []


@pytest.mark.parametrize("name", ["itq.codes", "itq.model", "itq.index"])
@pytest.mark.parametrize("place", [0.0, 0.02, 0.3, 0.6, 0.9, 1.0])
def test_a_flipped_byte_is_refused_in_one_sentence(refused, files, tmp_path, name, place):
    content = bytearray((files / name).read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x15
    (tmp_path / "bad").write_bytes(content)
    assert "bad" in refused("info", tmp_path / "bad")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_cut_file_is_refused_in_one_sentence(refused, files, tmp_path, share):
    content = (files / "itq.model").read_bytes()
    (tmp_path / "bad").write_bytes(content[: int(share * len(content))])
    assert "bad" in refused("info", tmp_path / "bad")


def test_a_damaged_collection_is_refused_in_one_sentence(refused, vectors, tmp_path):
    with Collection.create(tmp_path / "c", encoder=RandomHyperplanes(9, random_state=0).fit(vectors)) as collection:
        collection.add(vectors)
    (tmp_path / "c" / "collection.db").write_bytes(b"no database")
    assert "collection.db" in refused("info", tmp_path / "c")


def test_a_key_without_arrays_is_refused(refused, files, tmp_path):
    assert "give a file" in refused("info", "--key", "a")
    assert "--key has no meaning" in refused("info", files / "itq.codes", "--key", "a")
    assert "--key has no meaning" in refused("info", tmp_path, "--key", "a")
