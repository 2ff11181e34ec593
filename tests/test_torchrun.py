"""``torchrun -m hammingway``: two processes of one command do what one does, and one of them speaks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("torch")

from hammingway import load_hasher
from hammingway.bench.training import HASHER_NAME, train_plan
from hammingway.bench.variants import read_training_plan
from hammingway.deep import DSH
from hammingway.deep.checkpoint import Checkpoint

PLAN = """
title = "Two together"
[data]
dataset = "vectors.npy"
labels = "labels.npy"
n_queries = 20
[base]
hasher = "dsh"
n_bits = 8
[[variants]]
name = "deep"
set = { "training.epochs" = 2, "training.validation_share" = 0.2 }
[[variants]]
name = "classic"
set = { hasher = "itq" }
[[variants]]
name = "failing"
set = { "training.epochs" = 9, "training.optimizer" = "sgd", "training.learning_rate" = 1e12 }
[[variants]]
name = "linear"
set = { "training.epochs" = 1, network = "linear" }
"""

# The command line with a checkpoint a step, in which the second process is killed after some.
KILLED = """
import os, signal, sys
from hammingway.deep import loop
from hammingway.deep.checkpoint import Checkpoint
from hammingway.cli.main import main
Checkpoint.is_due = lambda self: True
gradients = loop.gradients
def killed(run, batch):
    if os.environ["RANK"] == "1" and batch.step == int(os.environ["KILLED_AT"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return gradients(run, batch)
loop.gradients = killed
main(prog_name="hammingway")
"""


def torchrun(*arguments, cwd, **variables):
    """Return what came of two processes; an address of its own keeps it apart from other runs on the machine."""
    command = [Path(sys.executable).with_name("torchrun"), "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    typed = [str(one) for one in (*command, *arguments)]
    return subprocess.run(typed, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=100)


@contextmanager
def no_bar(label):
    yield lambda done, total: None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    rng = np.random.default_rng(0)
    y = np.arange(140) % 4
    np.save(folder / "labels.npy", y)
    np.save(folder / "vectors.npy", (3 * rng.normal(size=(4, 12))[y] + rng.normal(size=(140, 12))).astype(np.float32))
    (folder / "plan.toml").write_text(PLAN)
    return folder


def assert_close(one, other):
    for name, array in one._learned().items():
        assert_allclose(other._learned()[name], array, atol=2e-6, err_msg=name)


def test_a_plan_gives_in_two_processes_what_it_gives_in_one_and_is_told_once(folder):
    done = torchrun("-m", "hammingway", "train", "plan.toml", "--out", "two", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert re.findall("Error|Warning", done.stderr) == []
    together = [json.loads(line) for line in done.stdout.splitlines()]
    alone = train_plan(read_training_plan(folder / "plan.toml"), out=folder / "one", bar=no_bar, data_dir=folder)
    assert [one["name"] for one in together] == ["deep", "classic", "failing", "linear"]
    assert [one.status for one in alone] == [one["status"] for one in together]
    for told, result in zip(together, alone, strict=True):
        if result.record is None:
            assert told["reason"] == result.reason
        else:
            assert told["mAP@all"] == result.record.quality["mAP@all"]
            assert_close(*(load_hasher(folder / out / result.name / HASHER_NAME) for out in ("one", "two")))
    assert len((folder / "two" / "deep" / "log.jsonl").read_text().splitlines()) == 2


def test_a_fit_goes_on_in_another_number_of_processes_and_one_that_is_lost_ends_all(folder, monkeypatch):
    X, y = np.load(folder / "vectors.npy"), np.load(folder / "labels.npy")
    training = {"steps": 9, "batch_size": 40}

    def fit(**outputs):
        return DSH(8, training=training, random_state=0).fit(X, y, **outputs)

    def stop_after_three(done, total):
        if done == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "is_due", lambda self: True)
    with pytest.raises(KeyboardInterrupt):
        fit(folder=folder / "run", progress=stop_after_three)
    (folder / "killed.py").write_text(KILLED)
    typed = ["fit", "vectors.npy", "--labels", "labels.npy", "--hasher", "dsh", "--bits", "8"]
    typed += ["--run-dir", "run", "--out", "both.hasher"]
    options = [part for name, value in training.items() for part in ("--set", f"training.{name}={value}")]
    ended = torchrun("killed.py", *typed, *options, cwd=folder, KILLED_AT="6")
    assert ended.returncode != 0
    said = [line for line in ended.stderr.splitlines() if line.startswith("Error")]
    assert len(said) <= 1  # torchrun may end the first process before it has noticed
    assert all("another process of this training ended" in sentence for sentence in said)
    assert (ended.stdout, (folder / "both.hasher").exists()) == ("", False)
    told = []
    resumed = fit(folder=folder / "run", progress=lambda done, total: told.append(done))
    assert told[0] == 6  # neither from the start, nor from where the first process stopped
    assert_close(fit(), resumed)
