"""Files with checksums: whatever happens to one, it is refused by name or gives exactly the right answer."""

from __future__ import annotations

import gzip
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.damage import SLOW, damaged, edits, examples, read_or_refuse
from hammingway import registry
from hammingway.code_files import read_codes, write_codes
from hammingway.codes import Codes
from hammingway.datasets.formats import read_labels, read_vectors
from hammingway.datasets.idx import read_idx
from hammingway.deep.hasher import DeepHasher
from hammingway.errors import FileFormatError, HammingwayError, InvalidInputError
from hammingway.hashers import load_hasher
from hammingway.storage import digest, read_arrays, read_kind, write_arrays

pytestmark = [pytest.mark.timeout(7200 if SLOW else 120)]

N_BITS = 21
CODES = Codes.from_bits(np.random.default_rng(0).integers(0, 2, (40, N_BITS)))
IDS = np.random.default_rng(1).permutation(1000)[:40]
VECTORS = np.random.default_rng(2).normal(size=(90, 9))


@dataclass(frozen=True)
class Sealed:
    """A kind of file: how one is written, and the answer that depends on all of it."""

    write: Any
    read: Any


def index_of(name: str) -> Sealed:
    kind = registry.load("indexes", name)

    def answer(path: Path) -> object:
        index = kind.load(path)
        found = index.search(CODES[:3], 5)
        before = index.ids.tolist()
        with suppress(InvalidInputError):  # where no id is left to count to
            index.add(CODES[:1])
        return before, found.ids.tolist(), found.distances.tolist(), index.ids.tolist()

    return Sealed(lambda path: kind(N_BITS).add(CODES, ids=IDS).save(path), answer)


def hasher_of(name: str) -> Sealed:
    kind = registry.load("hashers", name)
    y = np.arange(len(VECTORS)) % 3

    def answer(path: Path) -> object:
        hasher = load_hasher(path)
        if hasher.n_features_in_ > 5000:  # as a header may say, where no learned array is held against it
            return hasher.fingerprint()
        return hasher.fingerprint(), hasher.encode(np.resize(VECTORS, (9, hasher.n_features_in_))).packed.tolist()

    return Sealed(lambda path: kind(6, random_state=0).fit(VECTORS, y).save(path), answer)


def stored_codes(path: Path) -> object:
    stored = read_codes(path)
    return (
        digest(stored.codes.packed),
        stored.codes.n_bits,
        stored.encoder,
        None if stored.ids is None else stored.ids.tolist(),
    )


def npz(path: Path) -> object:
    return read_vectors(path, key="a").tolist(), read_labels(path, key="b").tolist()


def write_idx(path: Path) -> None:
    header = bytes([0, 0, 8, 3]) + np.array([5, 4, 3], ">u4").tobytes()
    path.write_bytes(gzip.compress(header + np.arange(60, dtype=np.uint8).tobytes(), mtime=0))


READERS = [name for name in registry.names("hashers") if not issubclass(registry.load("hashers", name), DeepHasher)]
READERS.append(DeepHasher.registry_name)  # whose methods are all read in the same way

SEALED = {
    **{f"{name}.index": index_of(name) for name in registry.names("indexes")},
    **{f"{name}.hasher": hasher_of(name) for name in READERS},
    "some.codes": Sealed(lambda path: write_codes(path, CODES, encoder="b2:00", ids=IDS), stored_codes),
    "some.npz": Sealed(lambda path: np.savez(path, a=np.eye(4), b=np.arange(7)), npz),
    "images.gz": Sealed(write_idx, lambda path: read_idx(path, n_axes=3).tolist()),
}


@pytest.mark.parametrize("name", SEALED)
def test_damage_is_named_or_changes_no_answer(tmp_path, name):
    sound, path = tmp_path / name, tmp_path / f"bad.{name}"
    SEALED[name].write(sound)
    content, right = sound.read_bytes(), SEALED[name].read(sound)
    refused = []

    @examples(25)
    @given(edits)
    def check(changes):
        path.write_bytes(damaged(content, changes))
        answer = read_or_refuse(SEALED[name].read, path)
        refused.append(answer is None)
        assert answer is None or answer == right

    check()
    assert sum(refused) > len(refused) / 2


ABSURD = st.sampled_from(
    [
        *(None, True, -1, 0, 1, 63, 64, 65, 512, 4097, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64, 10**30),
        *(-(2**63), 0.5, 1e308, "", "9", "itq", [], [-1], [0, 0], [2**63], {}, {"n_bits": -1}),
    ]
)
KINDS = [name for name in SEALED if name.endswith((".index", ".hasher", ".codes"))]


def with_absurd_field(header: dict[str, Any], place: int, value: object) -> dict[str, Any]:
    """Return a header with one field replaced, down to those of ``parameters``."""
    inner = header.get("parameters", {})
    names = [*header, *(f"parameters.{name}" for name in inner)]
    name = names[place % len(names)]
    if name.startswith("parameters."):
        return {**header, "parameters": {**inner, name.removeprefix("parameters."): value}}
    return {**header, name: value}


@pytest.mark.parametrize("name", KINDS)
def test_absurd_fields_under_a_right_checksum_raise_only_our_errors(tmp_path, name):
    sound, path = tmp_path / name, tmp_path / f"bad.{name}"
    SEALED[name].write(sound)
    kind = read_kind(sound)
    arrays, header = read_arrays(sound, kind=kind)

    @examples(30)
    @given(st.integers(0, 99), ABSURD)
    def check(place, value):
        write_arrays(path, arrays, kind=kind, header=with_absurd_field(header, place, value))
        read_or_refuse(SEALED[name].read, path)

    check()


def replaced(array: np.ndarray, change: int) -> np.ndarray:
    """Return another array in the place of ``array``: of another shape, type or content."""
    return [
        lambda: array[:0],
        lambda: array[:-1],
        lambda: np.concatenate([array, array[-1:]]) if array.ndim else array[None],
        lambda: array.reshape(-1),
        lambda: array[None],
        lambda: array.astype(np.float64) * np.nan,
        lambda: array.astype(np.int8),
        lambda: np.zeros((0,) * array.ndim, array.dtype),
        lambda: np.full_like(array, np.iinfo(array.dtype).max if array.dtype.kind in "iu" else np.inf),
        lambda: array.T.copy(),
    ][change]()


@pytest.mark.parametrize("name", KINDS)
def test_other_arrays_under_a_right_checksum_raise_only_our_errors(tmp_path, name):
    sound, path = tmp_path / name, tmp_path / f"bad.{name}"
    SEALED[name].write(sound)
    kind = read_kind(sound)
    arrays, header = read_arrays(sound, kind=kind)
    for changed in arrays:
        for change in range(10):
            others = {**arrays, changed: replaced(arrays[changed], change)}
            write_arrays(path, others, kind=kind, header=header)
            read_or_refuse(SEALED[name].read, path)
        write_arrays(path, {key: arrays[key] for key in arrays if key != changed}, kind=kind, header=header)
        read_or_refuse(SEALED[name].read, path)


def test_a_sealed_file_of_an_unknown_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("hammingway.storage.FORMAT_VERSION", 2**40)
    for name in KINDS:
        SEALED[name].write(tmp_path / name)
    monkeypatch.undo()
    for name in KINDS:
        with pytest.raises(FileFormatError, match="Upgrade Hammingway"):
            SEALED[name].read(tmp_path / name)


def test_an_empty_file_is_refused(tmp_path):
    for name, sealed in SEALED.items():
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(HammingwayError, match=name):
            sealed.read(tmp_path / name)
