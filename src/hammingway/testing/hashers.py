"""The contract of a hasher, for the built-in ones and for yours.

from hammingway.testing.hashers import check_hasher

def test_my_hasher_keeps_the_contract():
    check_hasher(MyHasher(16, random_state=0))
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from hammingway import registry, storage
from hammingway.codes import Codes
from hammingway.errors import FileFormatError, InvalidInputError, ShapeError
from hammingway.hashers import Hasher, load_hasher

__all__ = ["HASHER_CHECKS", "Sample", "check_hasher", "sample"]


@dataclass(frozen=True)
class Sample:
    """Vectors, numeric (n, n_features), at least 100, whose values a float16 holds; labels (n,)."""

    X: NDArray[Any]
    y: NDArray[Any]


def sample(n_rows: int = 300, n_features: int = 24, seed: int = 0) -> Sample:
    """Return clustered float32 vectors whose values float16 holds too, with the clusters as labels."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_rows) % 5
    X = rng.normal(size=(5, n_features))[y] + rng.normal(size=(n_rows, n_features))
    return Sample(X.astype(np.float16).astype(np.float32), y)


def check_hasher(hasher: Hasher, data: Sample | None = None) -> None:
    """Hold a hasher to every rule that the rest of the package relies on.

    Parameters
    ----------
    hasher : an instance, fitted or not, that can be fitted on ``data``; give it an int as ``random_state``.
    data : what to fit on; by default 300 vectors of 24 features in 5 classes.

    Raises
    ------
    AssertionError : a rule is broken; the message says which and how.

    Examples
    --------
    >>> from hammingway.hashers import RandomHyperplanes
    >>> check_hasher(RandomHyperplanes(13, random_state=0))
    """
    data = sample() if data is None else data
    for check in HASHER_CHECKS:
        check(clone(hasher), data)


def check_registered(hasher: Hasher, data: Sample) -> None:
    """The class is what its registry name leads to."""
    name = type(hasher).registry_name
    _require(
        registry.load("hashers", name) is type(hasher), f"the name {name!r} does not lead to {type(hasher).__name__}"
    )


def check_scores_and_codes_agree(hasher: Hasher, data: Sample) -> None:
    """Scores are finite float32 (n, n_bits), and the codes are their signs."""
    hasher.fit(data.X, data.y)
    scores, codes = hasher.project(data.X), hasher.encode(data.X)
    _require(scores.dtype == np.float32, f"scores are {scores.dtype}, not float32")
    _require(scores.shape == (len(data.X), hasher.n_bits_), f"scores have shape {scores.shape}")
    _require(bool(np.isfinite(scores).all()), "scores are not all finite")
    _same(codes.packed, Codes.from_scores(scores).packed, "codes are not the signs of the scores")
    _same(hasher.transform(data.X), codes.packed, "transform differs from encode")


def check_same_seed_same_codes(hasher: Hasher, data: Sample) -> None:
    """Fitting again with the same seed gives the same scores, and the same fingerprint."""
    first, second = clone(hasher).fit(data.X, data.y), clone(hasher).fit(data.X, data.y)
    _same(first.project(data.X), second.project(data.X), "scores differ between two fits with the same seed")
    _require(first.fingerprint() == second.fingerprint(), "fingerprints differ between two fits with the same seed")


def check_code_depends_on_its_row_alone(hasher: Hasher, data: Sample) -> None:
    """Single rows, cut batches, another order or company of rows: the same scores to the last bit."""
    hasher.fit(data.X, data.y)
    scores, packed = hasher.project(data.X), hasher.encode(data.X).packed
    for size in (1, 7, 64):
        starts = range(0, len(data.X), size)
        cut = [hasher.project(data.X[start : start + size]) for start in starts]
        _same(np.vstack(cut), scores, f"scores differ when rows come {size} at a time")
        codes = [hasher.encode(data.X[start : start + size]).packed for start in starts]
        _same(np.vstack(codes), packed, f"codes differ when rows come {size} at a time")
    order = np.random.default_rng(1).permutation(len(data.X))
    _same(hasher.project(data.X[order]), scores[order], "scores differ when rows come in another order")
    company = np.vstack([data.X[:5], data.X * 100])
    _same(hasher.project(company)[:5], scores[:5], "scores of a row depend on the other rows of the batch")


def check_query_scores(hasher: Hasher, data: Sample) -> None:
    """Scores of queries are finite float32 (n, n_bits), depend on their row alone, and survive save and load."""
    hasher.fit(data.X, data.y)
    scores = hasher.project_queries(data.X)
    _require(scores.dtype == np.float32, f"scores of queries are {scores.dtype}, not float32")
    _require(scores.shape == (len(data.X), hasher.n_bits_), f"scores of queries have shape {scores.shape}")
    _require(bool(np.isfinite(scores).all()), "scores of queries are not all finite")
    order = np.random.default_rng(1).permutation(len(data.X))
    _same(hasher.project_queries(data.X[order]), scores[order], "scores of queries depend on the order of rows")
    for size in (1, 7, 64):
        cut = [hasher.project_queries(data.X[start : start + size]) for start in range(0, len(data.X), size)]
        _same(np.vstack(cut), scores, f"scores of queries differ when rows come {size} at a time")
    _require(
        hasher.project_queries(data.X[:0]).shape == (0, hasher.n_bits_), "no queries do not give (0, n_bits) scores"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hasher.safetensors")
        hasher.save(path)
        loaded = load_hasher(path)
    _same(loaded.project_queries(data.X), scores, "scores of queries changed on the way through the file")


def check_bias(hasher: Hasher, data: Sample) -> None:
    """A bias is None, or finite float32 (n,) that depends on its row alone and survives save and load."""
    hasher.fit(data.X, data.y)
    bias = hasher.code_bias(data.X)
    _require(hasher.has_bias == (bias is not None), "has_bias does not tell whether code_bias gives one")
    if bias is None:
        return
    _require(bias.dtype == np.float32 and bias.shape == (len(data.X),), f"biases are {bias.dtype} {bias.shape}")
    _require(bool(np.isfinite(bias).all()), "biases are not all finite")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hasher.safetensors")
        hasher.save(path)
        loaded = load_hasher(path)
    for size in (1, 7, len(data.X)):
        cut = [loaded.code_bias(data.X[start : start + size]) for start in range(0, len(data.X), size)]
        found = np.concatenate([part for part in cut if part is not None])
        _same(found, bias, f"biases of a loaded hasher differ when rows come {size} at a time")


def check_memory_layout_does_not_matter(hasher: Hasher, data: Sample) -> None:
    """C, Fortran, strided, reversed, read-only, memory-mapped, wider floats: the same scores, also after a fit."""
    scores = clone(hasher).fit(data.X, data.y).project(data.X)
    with tempfile.TemporaryDirectory() as folder:
        for name, X in _layouts(data.X, Path(folder)):
            _same(clone(hasher).fit(X, data.y).project(X), scores, f"scores differ for {name} input")


def check_input_stays_untouched(hasher: Hasher, data: Sample) -> None:
    """Neither fitting nor encoding writes into X."""
    X = data.X.astype(np.float64)
    before = X.copy()
    hasher.fit(X, data.y).encode(X)
    hasher.project(X)
    _same(X, before, "the input was written to")


def check_no_rows_give_no_codes(hasher: Hasher, data: Sample) -> None:
    """Encoding zero rows gives zero codes."""
    hasher.fit(data.X, data.y)
    _require(len(hasher.encode(data.X[:0])) == 0, "zero rows do not give zero codes")
    _require(hasher.project(data.X[:0]).shape == (0, hasher.n_bits_), "zero rows do not give (0, n_bits) scores")


def check_progress_reaches_the_end(hasher: Hasher, data: Sample) -> None:
    """Progress never falls and ends with all rows done, in fit and in encode."""
    calls: list[tuple[int, int]] = []
    hasher.fit(data.X, data.y, progress=lambda done, total: calls.append((done, total)))
    _require(bool(calls) and calls[-1][0] == calls[-1][1], f"progress of fit ends at {calls[-1:]}")
    _require(calls == sorted(calls) and len({total for _, total in calls}) == 1, "progress of fit jumps")
    calls.clear()
    hasher.encode(data.X, progress=lambda done, total: calls.append((done, total)))
    _require(calls[-1:] == [(len(data.X), len(data.X))], f"progress of encode ends at {calls[-1:]}")


def check_save_and_load(hasher: Hasher, data: Sample) -> None:
    """A loaded hasher has the same class, parameters, fingerprint and scores."""
    hasher.fit(data.X, data.y)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hasher.safetensors")
        hasher.save(path)
        loaded = load_hasher(path)
    _require(type(loaded) is type(hasher), f"a {type(loaded).__name__} was loaded")
    _require(loaded.get_params() == hasher.get_params(), "parameters changed on the way through the file")
    _require(loaded.fingerprint() == hasher.fingerprint(), "the fingerprint changed on the way through the file")
    _same(loaded.project(data.X), hasher.project(data.X), "scores changed on the way through the file")


def check_damaged_files_are_refused(hasher: Hasher, data: Sample) -> None:
    """A file without an array, with one of another shape, or with NaN in it is an error, not a hasher."""
    hasher.fit(data.X, data.y)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hasher.safetensors")
        hasher.save(path)
        arrays, header = storage.read_arrays(path, kind="hasher")
        for what, damaged in _damages(arrays):
            storage.write_arrays(path, damaged, kind="hasher", header=header)
            with _refusal(FileFormatError, f"a file with {what}"):
                load_hasher(path)


def check_refusals(hasher: Hasher, data: Sample) -> None:
    """What cannot be hashed is refused by a sentence, in fit as in encode; NaN with its row."""
    with _refusal(NotFittedError, "encoding before fitting"):
        hasher.encode(data.X)
    fitted = clone(hasher).fit(data.X, data.y)
    for what, X, error in _unusable(data.X):
        with _refusal(error, f"encoding {what}"):
            fitted.encode(X)
        with _refusal(error, f"fitting {what}"):
            clone(hasher).fit(X, data.y)
    with _refusal(ShapeError, "encoding one feature too few"):
        fitted.encode(data.X[:, :-1])
    for value in (np.nan, np.inf):
        X = data.X.copy()
        X[41, 2] = value
        with _refusal(InvalidInputError, f"encoding {value}", mentions="row 41"):
            fitted.encode(X)
        with _refusal(InvalidInputError, f"fitting {value}", mentions="row 41"):
            clone(hasher).fit(X, data.y)


HASHER_CHECKS: tuple[Callable[[Hasher, Sample], None], ...] = (
    check_registered,
    check_scores_and_codes_agree,
    check_same_seed_same_codes,
    check_code_depends_on_its_row_alone,
    check_query_scores,
    check_bias,
    check_memory_layout_does_not_matter,
    check_input_stays_untouched,
    check_no_rows_give_no_codes,
    check_progress_reaches_the_end,
    check_save_and_load,
    check_damaged_files_are_refused,
    check_refusals,
)
"""Every rule as a function of an unfitted hasher and a sample, for ``pytest.mark.parametrize``."""


def _layouts(X: NDArray[Any], folder: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    yield "Fortran-ordered", np.asfortranarray(X)
    yield "strided", np.repeat(X, 2, axis=1)[:, ::2]
    yield "reversed", np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]
    yield "float64", X.astype(np.float64)
    yield "float16", X.astype(np.float16)
    yield "big-endian", X.astype(">f4")
    frozen = X.copy()
    frozen.flags.writeable = False
    yield "read-only", frozen
    np.save(folder / "X.npy", X)
    yield "memory-mapped", np.load(folder / "X.npy", mmap_mode="r")


def _unusable(X: NDArray[Any]) -> Iterator[tuple[str, Any, type[Exception]]]:
    yield "one vector", X[0], ShapeError
    yield "three dimensions", X[None], ShapeError
    yield "no features", X[:, :0], ShapeError
    yield "complex values", X.astype(np.complex64), InvalidInputError
    yield "strings", X.astype(str), InvalidInputError
    yield "objects", np.full(X.shape, "a", dtype=object), InvalidInputError
    yield "dates", X.astype("datetime64[s]"), InvalidInputError
    yield "masked values", np.ma.masked_array(X, mask=X > 0), InvalidInputError


def _damages(arrays: dict[str, NDArray[Any]]) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
    for name, array in arrays.items():
        yield f"no {name}", {other: value for other, value in arrays.items() if other != name}
        yield f"a longer {name}", arrays | {name: np.concatenate([array, array])}
        yield f"a boolean {name}", arrays | {name: array.astype(np.bool_)}
        if array.dtype.kind == "f":
            yield f"NaN in {name}", arrays | {name: np.full_like(array, np.nan)}


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise AssertionError(complaint)


def _same(found: NDArray[Any], expected: NDArray[Any], complaint: str) -> None:
    _require(found.shape == expected.shape, f"{complaint}: shape {found.shape}, not {expected.shape}")
    different = int((found != expected).sum())
    _require(different == 0, f"{complaint}: {different} of {found.size} values")


@contextmanager
def _refusal(error: type[Exception], what: str, mentions: str = "") -> Iterator[None]:
    try:
        yield
    except error as refused:
        _require(mentions in str(refused), f"{what} is refused without mention of {mentions!r}: {refused}")
    else:
        raise AssertionError(f"{what} is not refused")
