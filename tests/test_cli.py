"""The installed command as a shell sees it: pipes, signals, full disks, and a first session from end to end."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hammingway import FlatIndex, RandomHyperplanes
from hammingway.code_files import write_codes
from hammingway.codes import Codes

HAMMINGWAY = str(Path(sys.executable).with_name("hammingway"))


def shell(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    """Run the installed command and wait for it."""
    command = [HAMMINGWAY, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


def start(*arguments: object, **options) -> subprocess.Popen[bytes]:
    """Start the installed command with Ctrl-C enabled, which a shell's background jobs do not have."""
    command = [HAMMINGWAY, *map(str, arguments)]
    return subprocess.Popen(command, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options)


def wait_until(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Wait until ``condition`` holds while ``process`` still runs."""
    deadline = time.monotonic() + 30
    while not condition():
        assert process.poll() is None, "the command ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def vectors(tmp_path: Path) -> np.ndarray:
    """Return 400 vectors that are also in vectors.npy, the first 5 of them a little moved in queries.npy."""
    vectors = np.random.default_rng(1).normal(size=(400, 20)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    np.save(tmp_path / "queries.npy", vectors[:5] + np.float32(0.01))
    return vectors


def test_a_first_session_finds_what_the_library_finds(tmp_path, vectors):
    fitted = shell("fit", "vectors.npy", "--hasher", "lsh", "--bits", 65, "--seed", 3, "--out", "m", cwd=tmp_path)
    assert (fitted.returncode, fitted.stderr) == (0, "")
    assert shell("encode", "m", "vectors.npy", "--out", "codes", cwd=tmp_path).returncode == 0
    found = shell("search", "codes", "queries.npy", "--model", "m", "-k", 4, "--json", cwd=tmp_path)
    hasher = RandomHyperplanes(65, random_state=3).fit(vectors)
    index = FlatIndex(65).add(hasher.encode(vectors))
    expected = index.search(hasher.encode(np.load(tmp_path / "queries.npy")), 4)
    assert [json.loads(line) for line in found.stdout.splitlines()] == [
        {"query": i, "ids": ids.tolist(), "distances": distances.tolist()}
        for i, (ids, distances) in enumerate(expected)
    ]
    assert found.stderr == ""
    truth = shell("truth", "vectors.npy", "queries.npy", "-k", 1, "--out", "truth.npy", cwd=tmp_path)
    assert truth.returncode == 0
    assert np.load(tmp_path / "truth.npy").tolist() == [[0], [1], [2], [3], [4]]


def test_error_is_one_line_on_stderr_and_exit_code_2(tmp_path):
    run = shell("encode", "absent", "absent.npy", "--out", "c", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == (
        "Error: Invalid value for 'MODEL': File 'absent' does not exist. See 'hammingway encode --help'.\n"
    )


def test_kernel_that_cannot_run_is_an_error_of_one_line(tmp_path):
    run = shell("info", env={**os.environ, "HAMMINGWAY_SIMD": "avx1024"})
    assert run.returncode == 2
    assert run.stderr.startswith("Error: ")
    assert "avx1024" in run.stderr
    assert run.stderr.count("\n") == 1


def test_help_takes_less_than_three_tenths_of_a_second():
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        assert shell("--help").returncode == 0
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.3


def test_reader_that_stops_reading_is_met_with_silence(tmp_path):
    rng = np.random.default_rng(0)
    codes = Codes.from_bits(rng.integers(0, 2, size=(2000, 16)))
    write_codes(tmp_path / "codes", codes, encoder="b2:0")
    process = start("search", "codes", "codes", "-k", 200, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline().startswith(b"0 ")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) != 0


def test_interrupted_conversion_leaves_no_file_and_exits_with_130(tmp_path):
    with (tmp_path / "large.npy").open("wb") as file:  # a gibibyte of zeros that takes no space
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (2**20, 2**8)})
        file.truncate(file.tell() + 2**30)
    process = start("convert", "large.npy", "copy.fvecs", cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob(".copy.fvecs.*.part/*")), process)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (output, errors) == (b"", b"Error: Interrupted; unfinished outputs were removed.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["large.npy"]


def test_interrupted_conversion_keeps_the_file_it_would_have_replaced(tmp_path):
    with (tmp_path / "large.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (2**20, 2**8)})
        file.truncate(file.tell() + 2**30)
    (tmp_path / "copy.fvecs").write_text("precious")
    process = start("convert", "large.npy", "copy.fvecs", "--force", cwd=tmp_path, stderr=subprocess.DEVNULL)
    wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob(".copy.fvecs.*.part/*")), process)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert (tmp_path / "copy.fvecs").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.fvecs", "large.npy"]


def test_interrupted_fit_wipes_its_bar_and_leaves_no_file(tmp_path, vectors):
    ours, theirs = pty.openpty()
    options = ["--hasher", "itq", "--bits", 20, "--param", "n_iterations=100000000", "--out", "m"]
    process = start("fit", "vectors.npy", *options, cwd=tmp_path, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = b""
    while b"fitting itq" not in shown:
        shown += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    while b"removed." not in shown:
        shown += os.read(ours, 4096)
    os.close(ours)
    assert process.wait(30) == 130
    assert shown.decode().rstrip().endswith("Error: Interrupted; unfinished outputs were removed.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["queries.npy", "vectors.npy"]


def limited() -> None:
    """Let this process write files of 128 bytes at most, as if the disk were full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (128, 128))


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "vectors.npy", "--hasher", "lsh", "--bits", 64, "--out", "out"],
        ["truth", "vectors.npy", "queries.npy", "--out", "out.npy"],
        ["truth", "vectors.npy", "queries.npy", "--out", "out.ibin"],
        ["search", "codes", "codes", "--out", "out.jsonl"],
        *(["convert", "vectors.npy", f"out.{ending}"] for ending in ["fvecs", "hdf5", "parquet"]),
    ],
    ids=lambda arguments: f"{arguments[0]}-{arguments[-1]}",
)
def test_output_that_does_not_fit_on_the_disk_is_one_sentence_and_no_file(tmp_path, vectors, arguments):
    hasher = RandomHyperplanes(64, random_state=0).fit(vectors)
    write_codes(tmp_path / "codes", hasher.encode(vectors), encoder=hasher.fingerprint())
    before = sorted(tmp_path.iterdir())
    run = shell(*arguments, cwd=tmp_path, preexec_fn=limited)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("Error: ")
    assert run.stderr.count("\n") == 1
    assert "File too large" in run.stderr
    assert sorted(tmp_path.iterdir()) == before
