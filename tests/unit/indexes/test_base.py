"""An index knows whose codes it holds, keeps that in its file, and refuses codes of another encoder."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.code_files import StoredCodes, read_codes, write_codes
from hammingway.codes import Codes
from hammingway.errors import CodeWidthError, FileFormatError, InvalidInputError
from hammingway.indexes import FlatIndex, IVFIndex, MultiIndex, TableIndex, load_index
from hammingway.storage import read_arrays, read_kind, write_arrays

KINDS = [FlatIndex, IVFIndex, MultiIndex, TableIndex]
ONE, OTHER = "b2:" + "0" * 32, "b2:" + "1" * 32


def codes_of(n, *, seed=0, n_bits=13):
    return Codes.from_bits(np.random.default_rng(seed).integers(0, 2, (n, n_bits)))


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def test_a_new_index_names_no_encoder_and_plain_codes_give_it_none(kind):
    assert kind(13).encoder is None
    assert kind(13).add(codes_of(5)).encoder is None


def test_stored_codes_give_their_encoder_and_ids_to_an_empty_index(kind):
    codes, ids = codes_of(600), np.random.default_rng(1).permutation(9000)[:600]
    index = kind(13).add(StoredCodes(codes, ONE, ids))
    assert index.encoder == ONE
    assert_array_equal(index.ids, np.sort(ids))
    assert_array_equal(index.reconstruct(ids).packed, codes.packed)
    assert_array_equal(kind(13).add(StoredCodes(codes, ONE, ids), ids=np.arange(600)).ids, np.arange(600))


def test_no_codes_at_all_give_their_encoder_to_an_empty_index_too(kind, tmp_path):
    index = kind(13).add(StoredCodes(codes_of(0), ONE, None))
    assert index.encoder == ONE
    index.save(tmp_path / "index")
    assert load_index(tmp_path / "index").encoder == ONE


def test_an_index_of_unknown_codes_takes_on_no_encoder(kind):
    index = kind(13).add(codes_of(3)).add(StoredCodes(codes_of(3), ONE, None))
    assert (index.encoder, len(index)) == (None, 6)
    assert kind(13).add(codes_of(0)).add(StoredCodes(codes_of(3), ONE, None)).encoder == ONE


@pytest.mark.parametrize("n_codes", [0, 1, 700])
def test_the_encoder_comes_back_from_the_file(kind, n_codes, tmp_path):
    index = kind(13).add(codes_of(n_codes))
    index.encoder = ONE
    index.remove(index.ids[: n_codes // 3])
    index.save(tmp_path / "index")
    for loaded in (kind.load(tmp_path / "index"), load_index(tmp_path / "index")):
        assert (type(loaded), loaded.encoder, len(loaded)) == (kind, ONE, n_codes - n_codes // 3)


def test_queries_of_another_encoder_are_refused(kind, tmp_path):
    write_codes(tmp_path / "codes", codes_of(30), encoder=ONE)
    kind(13).add(read_codes(tmp_path / "codes")).save(tmp_path / "index")
    index = load_index(tmp_path / "index")
    foreign = StoredCodes(codes_of(2, seed=1), OTHER, None)
    calls = [lambda: index.search(foreign, 3), lambda: index.search_radius(foreign, 3), lambda: index.add(foreign)]
    if kind is TableIndex:
        calls.append(lambda: index.lookup(foreign))
    for call in calls:
        with pytest.raises(InvalidInputError, match=f"are of encoder {OTHER}; this index holds codes of {ONE}"):
            call()
    assert (len(index), index.encoder) == (30, ONE)


@pytest.mark.parametrize("encoder", [ONE, None])
def test_queries_of_the_same_or_an_unknown_encoder_are_answered_as_plain_codes(kind, encoder):
    index = kind(13).add(StoredCodes(codes_of(600), ONE, None))
    queries = codes_of(4, seed=1)
    stored = StoredCodes(queries, encoder, None)
    assert_array_equal(index.search(stored, 7).ids, index.search(queries, 7).ids)
    assert_array_equal(index.search_radius(stored, 3).ids, index.search_radius(queries, 3).ids)
    index.encoder = None
    assert_array_equal(index.search(StoredCodes(queries, OTHER, None), 7).ids, index.search(queries, 7).ids)


def test_stored_codes_of_another_width_are_refused(kind):
    index, wide = kind(13).add(codes_of(5)), StoredCodes(codes_of(2, n_bits=14), ONE, None)
    for call in (lambda: index.add(wide), lambda: index.search(wide, 1), lambda: index.search_radius(wide, 1)):
        with pytest.raises(CodeWidthError, match="14 bits"):
            call()


def test_codes_that_could_not_be_added_leave_no_encoder(kind):
    index = kind(13)
    with pytest.raises(InvalidInputError, match="ids must be distinct"):
        index.add(StoredCodes(codes_of(2), ONE, None), ids=[4, 4])
    assert index.encoder is None


@pytest.mark.parametrize("encoder", [3, b"b2:00", ["b2:00"]])
def test_what_is_no_fingerprint_is_refused(kind, encoder, tmp_path):
    index = kind(13).add(codes_of(5))
    with pytest.raises(InvalidInputError, match="encoder must be a fingerprint"):
        index.encoder = encoder
    index.save(tmp_path / "index")
    arrays, header = read_arrays(tmp_path / "index", kind=read_kind(tmp_path / "index"))
    damaged = header | {"encoder": encoder if isinstance(encoder, list | int) else 1.5}
    write_arrays(tmp_path / "index", arrays, kind=read_kind(tmp_path / "index"), header=damaged)
    with pytest.raises(FileFormatError, match="its encoder must be a fingerprint"):
        load_index(tmp_path / "index")
