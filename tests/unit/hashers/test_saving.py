import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway import storage
from hammingway.errors import FileFormatError, InvalidInputError
from hammingway.hashers import ITQ, PCAHash, RandomHyperplanes, SpectralHash, load_hasher
from hammingway.testing.hashers import sample


@pytest.fixture
def saved(tmp_path):
    """A saved ITQ: its path, arrays and header."""
    path = tmp_path / "itq.hasher"
    ITQ(8, random_state=0).fit(sample().X).save(path)
    return path, *storage.read_arrays(path, kind="hasher")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hasher": "no-such"}, "not installed"),
        ({"hasher": 3}, "no valid hasher"),
        ({"parameters": {"n_bits": 8, "colour": 1}}, "colour"),
        ({"parameters": {"n_bits": 0}}, "n_bits must be"),
        ({"parameters": {"n_bits": 9}}, "codes of 8 bits"),
        ({"n_features": "24"}, "no valid n_features"),
        ({"description": "text"}, "no valid description"),
        ({"n_features": 23}, "24"),
        ({"n_features": 0}, "no valid n_features"),
        ({"n_bits": 10**9, "parameters": {"n_bits": 10**9}}, "no valid n_bits"),
        ({"n_bits": 9}, "expected"),
        ({"feature_names": ["a"]}, "feature_names"),
        ({"feature_names": list(range(24))}, "feature_names"),
        ({"feature_names": [["a"]] * 24}, "feature_names"),
        ({"parameters": {"n_bits": 8, "random_state": [1, "x"]}}, "random_state"),
        ({"parameters": {"n_bits": 8, "random_state": float("nan")}}, "random_state"),
    ],
)
def test_header_that_does_not_fit_is_refused(saved, change, said):
    path, arrays, header = saved
    storage.write_arrays(path, arrays, kind="hasher", header=header | change)
    with pytest.raises(FileFormatError, match=said):
        load_hasher(path)


def test_rotation_that_is_none_is_refused(saved):
    path, arrays, header = saved
    arrays["rotation_"] = arrays["rotation_"] * 2
    storage.write_arrays(path, arrays, kind="hasher", header=header)
    with pytest.raises(FileFormatError, match="orthonormal"):
        load_hasher(path)


def test_spectral_bit_on_a_missing_direction_is_refused(tmp_path):
    path = tmp_path / "sh.hasher"
    SpectralHash(8).fit(sample().X).save(path)
    arrays, header = storage.read_arrays(path, kind="hasher")
    arrays["axis_"] = arrays["axis_"] + 100
    storage.write_arrays(path, arrays, kind="hasher", header=header)
    with pytest.raises(FileFormatError, match="not there"):
        load_hasher(path)


def test_file_of_another_kind_is_refused(tmp_path):
    storage.write_arrays(tmp_path / "codes", {"a": np.zeros(1)}, kind="codes", header={})
    with pytest.raises(FileFormatError, match="holds a codes"):
        load_hasher(tmp_path / "codes")


def test_random_state_object_is_left_out_and_the_codes_stay(tmp_path):
    X = sample().X
    hasher = RandomHyperplanes(8, random_state=np.random.RandomState(5)).fit(X)
    hasher.save(tmp_path / "lsh")
    loaded = load_hasher(tmp_path / "lsh")
    assert loaded.random_state is None
    assert loaded.fingerprint() == hasher.fingerprint()
    assert_array_equal(loaded.encode(X).packed, hasher.encode(X).packed)


def test_fingerprint_tells_seed_bits_and_data_apart():
    X = sample().X
    fitted = [
        ITQ(8, random_state=0).fit(X),
        ITQ(8, random_state=1).fit(X),
        ITQ(9, random_state=0).fit(X),
        ITQ(8, random_state=0).fit(X[1:]),
        PCAHash(8, random_state=0).fit(X),
    ]
    fingerprints = {hasher.fingerprint() for hasher in fitted}
    assert len(fingerprints) == 5
    assert all(fingerprint.startswith("b2:") for fingerprint in fingerprints)


def test_unregistered_class_is_refused_when_saving(tmp_path):
    class Mine(PCAHash):
        """A hasher that nobody registered."""

    with pytest.raises(InvalidInputError, match="Mine is not what is registered as 'pcah'"):
        Mine(4).fit(sample().X).save(tmp_path / "mine")
    assert not list(tmp_path.iterdir())


def test_parameter_without_a_plain_value_is_refused_when_saving(tmp_path):
    hasher = PCAHash(4).fit(sample().X)
    hasher.max_training_rows = {1, 2}
    with pytest.raises(InvalidInputError, match="max_training_rows is a set"):
        hasher.save(tmp_path / "pcah")
