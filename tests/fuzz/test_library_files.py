"""Containers that a C library reads: HDF5 and parquet, damaged, crash no process and take no absurd memory."""

from __future__ import annotations

import resource
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from fuzz.damage import SLOW, damaged, edits, examples, read_or_refuse
from hammingway.datasets.formats import hdf5, read_neighbors, read_vectors, write_vectors
from hammingway.errors import FileFormatError

pytestmark = [pytest.mark.timeout(14400 if SLOW else 120)]

VECTORS = np.arange(48, dtype=np.float32).reshape(8, 6)
MOST_MEMORY = 4 << 30


def write_contiguous(path: Path) -> None:
    write_vectors(path, VECTORS)


def write_compressed(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("train", data=VECTORS, chunks=(3, 6), compression="gzip", fletcher32=True)


def write_neighbors_too(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["distance"] = "euclidean"
        for name, array in (("train", VECTORS), ("neighbors", VECTORS.astype(np.int32)), ("distances", VECTORS)):
            file.create_dataset(name, data=array)


@pytest.mark.parametrize("write", [write_contiguous, write_compressed, write_neighbors_too])
def test_a_damaged_hdf5_is_refused_or_gives_rows(tmp_path, write):
    path = tmp_path / "bad.hdf5"
    write(path)
    content = path.read_bytes()
    read = read_neighbors if write is write_neighbors_too else read_vectors

    @examples(6)
    @given(edits)
    def check(changes):
        path.unlink()
        path.write_bytes(damaged(content, changes))
        found = read_or_refuse(read, path)
        if isinstance(found, tuple):
            assert found[0].shape == found[1].shape
        elif found is not None:
            assert found.ndim == 2

    check()


@pytest.mark.parametrize(("ending", "how"), [("kill -SEGV $$", "signal SIGSEGV"), ("exit 3", "exit status 3")])
def test_a_crash_of_the_hdf5_library_is_an_error_of_the_file(tmp_path, monkeypatch, ending, how):
    path, crash = tmp_path / "bad.hdf5", tmp_path / "crash"
    write_contiguous(path)
    crash.write_text(f"#!/bin/sh\n{ending}\n")
    crash.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(crash))
    with pytest.raises(FileFormatError, match=rf"bad\.hdf5 is damaged: .* ended (by|with) {how}"):
        read_vectors(path)


def test_a_process_that_never_answers_is_ended(tmp_path, monkeypatch):
    path, silence = tmp_path / "bad.hdf5", tmp_path / "silence"
    write_contiguous(path)
    silence.write_text("#!/bin/sh\nexec sleep 100\n")
    silence.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(silence))
    monkeypatch.setattr(hdf5, "_PATIENCE_SECONDS", 0.2)
    with pytest.raises(FileFormatError, match="signal SIGKILL"):
        read_vectors(path)


def test_rows_that_were_never_stored_are_refused(tmp_path):
    path = tmp_path / "bad.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("train", (2**40, 16), np.float32, chunks=(1024, 16))
    with pytest.raises(FileFormatError, match="never filled, or is damaged"):
        read_vectors(path)


def write_lists(path: Path) -> None:
    write_vectors(path, VECTORS)


def write_checked_pages(path: Path) -> None:
    table = pa.table({"id": np.arange(8), "emb": list(VECTORS)})
    pq.write_table(table, path, write_page_checksum=True, compression="zstd", row_group_size=3)


def read_parquet(path: Path) -> list[list[float]] | None:
    """Return the rows of a file, or None where it is refused; called in a process of its own."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.RLIM_INFINITY))
    found = read_or_refuse(read_vectors, path)
    return None if found is None else found.tolist()


@pytest.mark.parametrize("write", [write_lists, write_checked_pages])
def test_a_damaged_parquet_is_refused_or_gives_rows(tmp_path, write):
    path = tmp_path / "bad.parquet"
    write(path)
    content = path.read_bytes()
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as process:

        @examples(60)
        @given(edits)
        def check(changes):
            path.write_bytes(damaged(content, changes))
            rows = process.submit(read_parquet, path).result(60)  # a crash of the process fails the test
            if rows is not None:
                assert {len(row) for row in rows} <= {len(rows[0])} if rows else True

        check()
