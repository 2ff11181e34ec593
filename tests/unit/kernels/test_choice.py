"""Which backend is used, how one is forced, and what is refused before any of them runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from hammingway import kernels
from hammingway.errors import CodeWidthError, InvalidInputError, ShapeError, UnknownNameError


@pytest.fixture
def planes():
    return np.zeros((1, 12, 8), dtype=np.uint64)


@pytest.fixture
def live():
    return np.zeros((1, 8), dtype=np.uint64)


@pytest.fixture
def queries():
    return np.zeros((2, 2), dtype=np.uint8)


def run(code: str, simd: str | None = None, *flags: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "HAMMINGWAY_SIMD"}
    if simd is not None:
        environment["HAMMINGWAY_SIMD"] = simd
    return subprocess.run(
        [sys.executable, *flags, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", kernels.available())
def test_the_variable_forces_a_backend(name):
    done = run("from hammingway import kernels; print(kernels.BACKEND, kernels.info()['backend'])", name, "-Werror")
    assert done.stdout.split() == [name, name], done.stderr


def test_without_the_variable_the_fastest_is_used():
    assert run("from hammingway import kernels; print(kernels.BACKEND)").stdout.strip() == kernels.available()[0]


def test_an_unknown_backend_is_refused_and_the_available_ones_named():
    done = run("from hammingway import kernels", "sse9")
    assert done.returncode != 0
    assert "'sse9'" in done.stderr and "baseline, numpy" in done.stderr
    with pytest.raises(UnknownNameError, match="numpy"):
        kernels.backend("altivec")


def test_a_missing_native_module_is_said_aloud():
    hide = (
        "import sys; sys.modules['hammingway._native'] = None; from hammingway import kernels; print(kernels.BACKEND)"
    )
    done = run(hide)
    assert done.stdout.strip() == "numpy"
    assert "RuntimeWarning" in done.stderr and "cannot be imported" in done.stderr
    assert run(hide, None, "-Werror").returncode != 0
    assert run(hide, "numpy", "-Werror").stdout.strip() == "numpy"
    assert "available are numpy" in run(hide, "avx2").stderr


def test_info_names_the_backend_and_the_compiler_of_the_native_module():
    tell = "import json; from hammingway import kernels; print(json.dumps(kernels.info()))"
    info = json.loads(run(tell).stdout)
    assert info["backend"] == info["available"][0]
    assert info["threads"] >= 1
    assert info["compiler"]
    alone = json.loads(run(tell, "numpy").stdout)
    assert (alone["available"], alone["compiler"], alone["cpu_features"]) == (["numpy"], None, [])


@pytest.mark.parametrize("name", kernels.available())
def test_wrong_arguments_are_refused(name, planes, live, queries):
    kernel = kernels.backend(name)
    for k in (0, -1, 2.0, True, None):
        with pytest.raises(InvalidInputError, match="k must be a whole number"):
            kernel.top_k(planes, live, queries, k)
    with pytest.raises(InvalidInputError, match="radius"):
        kernel.within(planes, live, queries, -1)
    with pytest.raises(InvalidInputError, match="n_threads"):
        kernel.top_k(planes, live, queries, 1, n_threads=0)
    with pytest.raises(CodeWidthError, match="12-bit"):
        kernel.top_k(planes, live, np.zeros((1, 3), dtype=np.uint8), 1)
    with pytest.raises(InvalidInputError, match="uint8"):
        kernel.top_k(planes, live, np.zeros((1, 2), dtype=np.int64), 1)
    with pytest.raises(InvalidInputError, match="past the 12th"):
        kernel.top_k(planes, live, np.full((1, 2), 255, dtype=np.uint8), 1)
    with pytest.raises(InvalidInputError, match="planes must be a uint64"):
        kernel.top_k(planes.astype(np.int64), live, queries, 1)
    with pytest.raises(InvalidInputError, match="C-contiguous"):
        kernel.top_k(np.zeros((8, 12, 1), dtype=np.uint64).T, live, queries, 1)
    with pytest.raises(ShapeError, match="live"):
        kernel.top_k(planes, np.zeros((2, 8), dtype=np.uint64), queries, 1)
    with pytest.raises(ShapeError, match="4096"):
        kernel.top_k(np.zeros((1, 4097, 8), dtype=np.uint64), live, np.zeros((1, 513), dtype=np.uint8), 1)


@pytest.mark.parametrize("name", kernels.available())
def test_ids_must_cover_every_live_slot(name, planes, live, queries):
    kernel = kernels.backend(name)
    kernel.write_rows(planes, live, np.zeros((70, 2), dtype=np.uint8), 0)
    assert kernel.top_k(planes, live, queries, 1, ids=np.arange(70)[::-1].copy())[0].tolist() == [[69], [69]]
    for count in (0, 63, 64, 69):
        with pytest.raises(ShapeError, match="every live slot"):
            kernel.top_k(planes, live, queries, 1, ids=np.arange(count))
    with pytest.raises(InvalidInputError, match="int64"):
        kernel.within(planes, live, queries, 1, ids=np.arange(70, dtype=np.int32))


@pytest.mark.parametrize("name", kernels.available())
def test_rows_that_do_not_fit_are_refused(name, planes, live):
    kernel = kernels.backend(name)
    row = np.zeros((1, 2), dtype=np.uint8)
    with pytest.raises(InvalidInputError, match="do not fit"):
        kernel.write_rows(planes, live, row, 512)
    with pytest.raises(InvalidInputError, match="start"):
        kernel.write_rows(planes, live, row, -1)
    with pytest.raises(InvalidInputError, match="slots must lie in 0 to 511"):
        kernel.read_rows(planes, np.array([512]))
    live.flags.writeable = False
    with pytest.raises(InvalidInputError, match="writable"):
        kernel.write_rows(planes, live, row, 0)


@pytest.mark.parametrize("name", kernels.available())
def test_pairwise_refuses_rows_of_different_width(name):
    kernel = kernels.backend(name)
    with pytest.raises(CodeWidthError, match="3 and 2"):
        kernel.pairwise(np.zeros((1, 3), dtype=np.uint8), np.zeros((1, 2), dtype=np.uint8))
    with pytest.raises(InvalidInputError, match="uint8"):
        kernel.pairwise(np.zeros((1, 3)), np.zeros((1, 3), dtype=np.uint8))
    with pytest.raises(ShapeError, match="n_bytes"):
        kernel.pairwise(np.zeros(3, dtype=np.uint8), np.zeros((1, 3), dtype=np.uint8))
