"""Saved indexes open as what they were, those of earlier versions too, and answer as they did."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.codes import Codes
from hammingway.errors import FileFormatError, InvalidInputError
from hammingway.indexes import FlatIndex, MultiIndex, load_index, multi
from hammingway.kernels.probing import Budget
from hammingway.storage import read_arrays, read_kind, write_arrays
from hammingway.testing.indexes import Oracle

GOLDEN = Path(__file__).parents[2] / "golden"


def load_maker():
    spec = importlib.util.spec_from_file_location("make_indexes", GOLDEN / "make_indexes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


maker = load_maker()
FILES = sorted(path.relative_to(GOLDEN / "indexes") for path in (GOLDEN / "indexes").glob("*/*.index"))


def clustered(n, n_bits, *, seed=0):
    rng = np.random.default_rng([seed, n_bits])
    centres = np.random.default_rng(n_bits).integers(0, 2, (30, n_bits))
    return Codes.from_bits(centres[rng.integers(0, 30, n)] ^ (rng.random((n, n_bits)) < 0.04))


@pytest.mark.parametrize("name", FILES, ids=str)
def test_an_old_file_answers_as_it_did(name):
    path = GOLDEN / "indexes" / name
    assert maker.answers(path) == json.loads(path.with_suffix(".json").read_text())
    index = load_index(path)
    assert index.encoder == (maker.ENCODER if name.parent.name == "with-encoder" else None)
    assert len(index) == 690
    if index.exact:
        oracle = Oracle(index.n_bits)
        oracle.add(index.reconstruct(index.ids), index.ids)
        oracle.agree(index, clustered(3, index.n_bits), ks=(5,), why=str(name))


def test_there_is_an_old_file_of_every_kind_with_and_without_an_encoder():
    assert sorted(map(str, FILES)) == [
        f"{folder}/{kind}.index" for folder in ("with-encoder", "without-encoder") for kind in sorted(maker.KINDS)
    ]


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 63, 64, 65])
@pytest.mark.parametrize("n", [0, 1, 2000])
def test_a_saved_multi_index_gives_the_answers_and_certificates_of_the_one_in_memory(n, n_bits, tmp_path):
    index = MultiIndex(n_bits, n_tables=min(n_bits, 4)).add(clustered(n, n_bits))
    index.save(tmp_path / "index")
    loaded = load_index(tmp_path / "index", n_threads=2)
    assert type(loaded) is MultiIndex
    assert (loaded.n_tables, loaded.n_threads, loaded.size_bytes) == (index.n_tables, 2, index.size_bytes)
    queries = clustered(6, n_bits, seed=1)
    pairs = [(index.search(queries, 5), loaded.search(queries, 5))]
    pairs.append((index.search_radius(queries, 2), loaded.search_radius(queries, 2)))
    for before, after in pairs:
        for name in ("ids", "distances"):
            assert_array_equal(getattr(after, name), getattr(before, name))
        for name in ("exact", "radius", "by_scan", "probes", "candidates"):
            assert_array_equal(getattr(after.certificate, name), getattr(before.certificate, name))
    scan = FlatIndex(n_bits).add(clustered(n, n_bits))
    assert_array_equal(pairs[0][1].ids, scan.search(queries, 5).ids)


def test_tables_answer_after_loading_without_the_scan(tmp_path, monkeypatch):
    monkeypatch.setattr(multi, "budget_for", lambda *_: Budget(1, 1, 1, 10**6, 10**8))
    MultiIndex(64).add(clustered(2000, 64)).save(tmp_path / "index")
    queries = clustered(6, 64, seed=1)
    found = load_index(tmp_path / "index").search(queries, 5)
    assert not found.certificate.by_scan.any()
    assert found.certificate.exact.all()
    assert_array_equal(found.ids, FlatIndex(64).add(clustered(2000, 64)).search(queries, 5).ids)


def test_removed_codes_and_biases_survive_the_file_of_a_multi_index(tmp_path):
    codes, rng = clustered(2000, 30), np.random.default_rng(3)
    index = MultiIndex(30).add(codes, ids=rng.permutation(5000)[:2000], bias=rng.normal(size=2000))
    index.remove(index.ids[::3])
    index.save(tmp_path / "index")
    loaded = load_index(tmp_path / "index")
    assert_array_equal(loaded.ids, index.ids)
    scores = rng.normal(size=(3, 30))
    assert_array_equal(loaded.search_asymmetric(scores, 9).scores, index.search_asymmetric(scores, 9).scores)
    oracle = Oracle(30)
    oracle.add(index.reconstruct(index.ids), index.ids)
    oracle.agree(loaded, clustered(4, 30, seed=2), why="loaded")


def test_the_number_of_tables_asked_for_on_loading_wins(tmp_path):
    MultiIndex(30, n_tables=3).add(clustered(2000, 30)).save(tmp_path / "index")
    assert MultiIndex.load(tmp_path / "index").n_tables == 3
    assert MultiIndex.load(tmp_path / "index", n_tables=5).n_tables == 5
    with pytest.raises(InvalidInputError, match="n_tables"):
        MultiIndex.load(tmp_path / "index", n_tables=31)


@pytest.mark.parametrize("n_tables", [0, 31, "3", True, 2.5])
def test_a_file_with_an_impossible_number_of_tables_is_refused(n_tables, tmp_path):
    MultiIndex(30, n_tables=3).add(clustered(20, 30)).save(tmp_path / "index")
    arrays, header = read_arrays(tmp_path / "index", kind="multi-index")
    write_arrays(tmp_path / "index", arrays, kind="multi-index", header=header | {"n_tables": n_tables})
    with pytest.raises(FileFormatError, match="n_tables"):
        load_index(tmp_path / "index")


def test_a_file_of_tables_is_no_file_of_a_flat_index(tmp_path):
    MultiIndex(30).add(clustered(20, 30)).save(tmp_path / "index")
    assert read_kind(tmp_path / "index") == "multi-index"
    with pytest.raises(FileFormatError, match="holds a multi-index"):
        FlatIndex.load(tmp_path / "index")


def test_what_is_no_index_is_refused(tmp_path):
    (tmp_path / "text").write_text("no index")
    with pytest.raises(FileFormatError, match="give a saved index"):
        load_index(tmp_path / "text")
    with pytest.raises(FileNotFoundError):
        load_index(tmp_path / "none")
