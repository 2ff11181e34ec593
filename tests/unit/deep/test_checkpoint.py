"""A run that was interrupted, wherever, ends as if it had not been: the same weights to the last bit, the same log."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from hammingway import storage
from hammingway.deep import DeepHasher, loop
from hammingway.deep.checkpoint import CHECKPOINT_NAME, Checkpoint, EpochStatistics
from hammingway.deep.log import LOG_NAME
from hammingway.errors import FileFormatError, FolderInUseError, InvalidInputError
from hammingway.hashers import load_hasher

BUDGET = {"epochs": 3, "batch_size": 32, "validation_share": 0.2, "schedule": "cosine", "warmup_steps": 3}
STEPS = 9


class PowerCutError(Exception):
    pass


def hasher(*, objective="hashnet", n_bits=9, **training):
    network = {"name": "mlp", "hidden": [16], "dropout": 0.3, "batch_norm": True}
    budget = {**BUDGET, **training}
    return DeepHasher(n_bits, objective=objective, network=network, training=budget, random_state=3)


def interrupted_at(step):
    def progress(done, total):
        if done == step:
            raise PowerCutError

    return progress


@pytest.fixture
def every_step(monkeypatch):
    """Checkpoints are written after each step, not once a minute."""
    monkeypatch.setattr(Checkpoint, "is_due", lambda self: True)


def assert_same_outcome(one, other):
    for name, array in one._learned().items():
        assert_array_equal(array, other._learned()[name], err_msg=name)
    logs = [
        [{**entry, "seconds": 0, "processor_seconds": 0} for entry in fitted.training_log_] for fitted in (one, other)
    ]
    assert logs[0] == logs[1]


def test_two_fits_at_once_into_one_folder_are_refused_and_the_first_goes_on_as_if_alone(blobs, tmp_path):
    refusals = []

    def another(done, total):
        with pytest.raises(FolderInUseError, match="in use by another training") as refusal:
            hasher(n_bits=5).fit(*blobs, folder=tmp_path / "run")
        refusals.append(refusal)

    fitted = hasher().fit(*blobs, folder=tmp_path / "run", progress=another)
    assert len(refusals) >= STEPS
    assert_same_outcome(fitted, hasher().fit(*blobs))
    assert {path.name for path in (tmp_path / "run").iterdir()} == {CHECKPOINT_NAME, LOG_NAME}


def test_times_of_the_log_go_on_after_an_interruption(blobs, tmp_path, every_step, monkeypatch):
    def clock():
        return SimpleNamespace(perf_counter=itertools.count().__next__, process_time=itertools.count(5, 2).__next__)

    monkeypatch.setattr(loop, "time", clock())
    with pytest.raises(PowerCutError):
        hasher().fit(*blobs, folder=tmp_path, progress=interrupted_at(STEPS // 2))
    monkeypatch.setattr(loop, "time", clock())
    last = hasher().fit(*blobs, folder=tmp_path).training_log_[-1]
    assert (last["seconds"], last["processor_seconds"]) == (STEPS, 2 * STEPS)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_fit_resumed_at_any_step_gives_the_same_weights_and_log(blobs, tmp_path, every_step, optimizer):
    X, y = blobs
    expected = hasher(optimizer=optimizer, augment="noise").fit(X, y)
    assert expected.training_log_[-1]["step"] == STEPS
    for step in range(1, STEPS + 1):
        folder = tmp_path / str(step)
        with pytest.raises(PowerCutError):
            hasher(optimizer=optimizer, augment="noise").fit(X, y, folder=folder, progress=interrupted_at(step))
        resumed = hasher(optimizer=optimizer, augment="noise").fit(X, y, folder=folder)
        assert_same_outcome(resumed, expected)


@pytest.mark.parametrize(
    "objective", ["dsh", "hashnet", "bihalf", "greedyhash", "csq", "jmlh", "cibhash", "autohash", "autohash-neighbors"]
)
def test_state_of_every_objective_survives(blobs, tmp_path, every_step, objective):
    X, y = blobs
    expected = hasher(objective=objective, n_bits=16).fit(X, y)
    with pytest.raises(PowerCutError):
        hasher(objective=objective, n_bits=16).fit(X, y, folder=tmp_path, progress=interrupted_at(5))
    assert_same_outcome(hasher(objective=objective, n_bits=16).fit(X, y, folder=tmp_path), expected)


@pytest.mark.parametrize("step", [1, 4, STEPS])
def test_run_that_ctrl_c_ends_keeps_the_step_under_way_and_goes_on_to_the_same_weights(
    blobs, tmp_path, monkeypatch, step
):
    X, y = blobs
    real = loop.gradients

    def pressed_in_the_middle(run, batch):
        if batch.step == step - 1:
            signal.raise_signal(signal.SIGINT)
        return real(run, batch)

    whole = hasher().fit(X, y)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt, match=f"keeps step {step} of {STEPS}"):
        patch.setattr(loop, "gradients", pressed_in_the_middle)
        hasher().fit(X, y, folder=tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    done = []
    resumed = hasher().fit(X, y, folder=tmp_path, progress=lambda steps, total: done.append(steps))
    assert done[0] == step
    assert_same_outcome(resumed, whole)


def test_run_without_a_folder_is_interrupted_at_once(blobs, monkeypatch):
    steps = []

    def pressed(run, batch):
        steps.append(batch.step)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the step went on")

    monkeypatch.setattr(loop, "gradients", pressed)
    with pytest.raises(KeyboardInterrupt):
        hasher().fit(*blobs)
    assert steps == [0]


def test_lost_minutes_are_trained_again_to_the_same_end(blobs, tmp_path, monkeypatch):
    """The checkpoint is older than the log and than the last step."""
    X, y = blobs
    due = iter([False, False, True] + [False] * 20)
    monkeypatch.setattr(Checkpoint, "is_due", lambda self: next(due))
    with pytest.raises(PowerCutError):
        hasher().fit(X, y, folder=tmp_path, progress=interrupted_at(8))
    header = storage.read_arrays(tmp_path / CHECKPOINT_NAME, kind="training-checkpoint")[1]
    assert header["step"] == 3
    resumed = hasher().fit(X, y, folder=tmp_path)
    assert_same_outcome(resumed, hasher().fit(X, y))
    lines = [json.loads(line) for line in (tmp_path / LOG_NAME).read_text().splitlines()]
    assert lines == resumed.training_log_


def test_finished_run_is_not_trained_again(blobs, tmp_path):
    X, y = blobs
    first = hasher().fit(X, y, folder=tmp_path)
    written = (tmp_path / CHECKPOINT_NAME).stat().st_mtime_ns
    calls = []
    again = hasher().fit(X, y, folder=tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert_same_outcome(again, first)
    assert (tmp_path / CHECKPOINT_NAME).stat().st_mtime_ns == written
    assert calls[-1] == (STEPS, STEPS)


def test_stop_before_the_end_is_remembered(digits, tmp_path):
    stopping = {"epochs": 60, "patience": 2, "learning_rate": 0.05, "validation_share": 0.3}
    first = hasher(**stopping).fit(*digits, folder=tmp_path)
    assert first.training_log_[-1]["epoch"] < 60
    assert_same_outcome(hasher(**stopping).fit(*digits, folder=tmp_path), first)


@pytest.mark.parametrize("change", ["bits", "options", "seed", "rows", "labels"])
def test_folder_of_another_run_is_refused(blobs, tmp_path, change):
    X, y = blobs
    hasher().fit(X, y, folder=tmp_path)
    other = hasher(n_bits=10) if change == "bits" else hasher(epochs=4) if change == "options" else hasher()
    if change == "seed":
        other.set_params(random_state=4)
    X = X + 1 if change == "rows" else X
    y = (y + y // 3) % 4 if change == "labels" else y
    with pytest.raises(InvalidInputError, match="holds a run of another configuration, seed or data"):
        other.fit(X, y, folder=tmp_path)


def test_folder_is_refused_whichever_row_is_another_also_of_those_that_choose_the_epoch(blobs, tmp_path):
    X, y = blobs
    hasher().fit(X, y, folder=tmp_path)
    for row in range(20):
        other = X.copy()
        other[row] += 1
        with pytest.raises(InvalidInputError, match="holds a run of another configuration, seed or data"):
            hasher().fit(other, y, folder=tmp_path)


def test_damaged_checkpoint_is_refused(blobs, tmp_path):
    X, y = blobs
    hasher().fit(X, y, folder=tmp_path)
    path = tmp_path / CHECKPOINT_NAME
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="damaged"):
        hasher().fit(X, y, folder=tmp_path)


SCRIPT = """
import sys, numpy as np, torch
from hammingway.deep import DeepHasher, loop
from hammingway.deep.checkpoint import Checkpoint
torch.set_num_threads(1)
Checkpoint.is_due = lambda self: True
data = np.load(sys.argv[1])
training = {"epochs": 10, "batch_size": 16, "validation_share": 0.2, "validate_every": 5}
hasher = DeepHasher(9, objective="dsh", network={"name": "mlp", "hidden": [16]}, training=training, random_state=3)
hasher.fit(data["X"], data["y"], folder=sys.argv[2], progress=lambda done, total: print(done, flush=True))
hasher.save(sys.argv[3])
"""


@pytest.mark.slow  # three processes import torch
def test_killed_process_goes_on_where_it_was(blobs, tmp_path):
    X, y = blobs
    np.savez(tmp_path / "data.npz", X=X, y=y)

    def start(folder):
        command = [
            sys.executable,
            "-c",
            SCRIPT,
            tmp_path / "data.npz",
            tmp_path / folder,
            tmp_path / f"{folder}.hasher",
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole, killed = start("whole"), start("killed")
    for line in killed.stdout:
        if int(line) == 37:
            break
    time.sleep(0.005)  # in the middle of a step, or of a write
    killed.kill()
    killed.communicate()
    again = start("killed")
    first = again.stdout.readline()
    assert int(first) >= 36  # it did not start from nothing
    assert again.communicate() and again.returncode == 0
    assert whole.communicate() and whole.returncode == 0
    one, other = (load_hasher(tmp_path / f"{name}.hasher") for name in ("whole", "killed"))
    assert one.fingerprint() == other.fingerprint()


def test_statistics_of_an_epoch_are_those_of_all_its_steps():
    rng = torch.Generator().manual_seed(0)
    scores = [torch.randn(5, 3, generator=rng), torch.randn(7, 3, generator=rng)]
    statistics = EpochStatistics(3)
    for number, part in enumerate(scores):
        statistics.add(float(number), {"pairs": torch.tensor(2.0 * number)}, part)
    together = torch.cat(scores)
    assert torch.equal(statistics.lowest, together.amin(dim=0))
    assert torch.equal(statistics.highest, together.amax(dim=0))
    assert statistics.ones.tolist() == (together > 0).sum(dim=0).tolist()
    summary = statistics.summary()
    assert (summary["loss"], summary["terms"]) == (0.5, {"pairs": 1.0})
    assert not statistics.is_collapsed()


def test_scores_that_never_vary_are_a_collapse_whatever_their_size():
    for value in (0.0, 1e-20, -3e7):
        statistics = EpochStatistics(2)
        statistics.add(0.0, {}, torch.full((4, 2), value))
        assert statistics.is_collapsed()
    statistics.add(0.0, {}, torch.full((4, 2), -2.9e7))
    assert not statistics.is_collapsed()
