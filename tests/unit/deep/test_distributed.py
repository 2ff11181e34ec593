"""Two processes on half a batch each end as one process on the whole."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from hammingway import registry
from hammingway.deep import DeepHasher
from hammingway.deep.distributed import Group, fails_first, resolve_device, training_device
from hammingway.errors import ConfigError
from hammingway.hashers import load_hasher

SCRIPT = """
import sys, json, os, warnings, numpy as np, torch
from hammingway.deep import DeepHasher
from hammingway.deep.distributed import first_says, summed
from hammingway.deep.validation import Validation
torch.set_num_threads(1)
data, rank, measured, measure = np.load(sys.argv[1]), int(os.environ["RANK"]), [], Validation.measure
Validation.measure = lambda self, *arguments: measured.append(1) or measure(self, *arguments)
for number, (objective, network, training) in enumerate(json.loads(sys.argv[2])):
    hasher = DeepHasher(9, objective=objective, network=network, training=training, random_state=3)
    hasher.fit(data["X"], data["y"], folder=f"{sys.argv[3]}/{number}")
    hasher.save(f"{sys.argv[3]}/{number}.{rank}.hasher")
facts = {"measured": len(measured), "said": first_says([rank + 7.5, float("nan")])[0], "summed": summed(rank + 0.25)}
for name, seed, rows, size in (("seed", None, 120, 40), ("rows", 3, 119 + rank, 40), ("batch", 3, 120, 3)):
    try:
        hasher = DeepHasher(9, training={"epochs": 1, "batch_size": size}, random_state=seed)
        hasher.fit(data["X"][:rows], data["y"][:rows])
    except ValueError as error:
        facts[name] = f"{type(error).__name__}: {error}"
with open(f"{sys.argv[3]}/facts.{rank}.json", "w") as file:
    json.dump(facts, file)
"""
BUDGET = {"epochs": 3, "batch_size": 40, "optimizer": "sgd", "learning_rate": 0.05, "validation_share": 0.2}
RUNS = [
    ("dsh", "mlp", BUDGET),
    ("hashnet", "linear", {**BUDGET, "clip_norm": 0.5}),
    ("jmlh", "linear", {**BUDGET, "micro_batch_size": 7}),
    ("bihalf", "linear", {**BUDGET, "batch_size": 33}),
]
RUNS += [
    (name, "linear", {**BUDGET, "epochs": 2, "learning_rate": 0.01})
    for name in registry.names("objectives")
    if name not in {run[0] for run in RUNS}
]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def two_processes(blobs, tmp_path_factory):
    """The folder where two gloo processes have left what they fitted."""
    folder = tmp_path_factory.mktemp("gloo")
    np.savez(folder / "data.npz", X=blobs[0], y=blobs[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, folder / "data.npz", json.dumps(RUNS), folder]
    processes = [
        subprocess.Popen(command, env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(2)
    ]
    assert [process.wait(timeout=100) for process in processes] == [0, 0]
    return folder


@pytest.mark.parametrize("number", range(len(RUNS)), ids=[run[0] for run in RUNS])
def test_two_processes_give_the_weights_of_one(blobs, two_processes, number):
    objective, network, training = RUNS[number]
    alone = DeepHasher(9, objective=objective, network=network, training=training, random_state=3).fit(*blobs)
    fitted = [load_hasher(two_processes / f"{number}.{rank}.hasher") for rank in range(2)]
    for name, array in alone._learned().items():
        assert_allclose(fitted[0]._learned()[name], array, atol=2e-6, err_msg=name)
        assert_array_equal(fitted[0]._learned()[name], fitted[1]._learned()[name], err_msg=name)


def test_only_the_first_process_writes_and_the_log_has_each_epoch_once(two_processes):
    lines = (two_processes / "0" / "log.jsonl").read_text().splitlines()
    assert len(lines) == 3


def facts_of(folder):
    return [json.loads((folder / f"facts.{rank}.json").read_text()) for rank in range(2)]


def test_only_the_first_process_measures_and_all_know_what_it_says(two_processes):
    facts = facts_of(two_processes)
    assert [one["measured"] for one in facts] == [sum(run[2]["epochs"] for run in RUNS), 0]
    assert [(one["said"], one["summed"]) for one in facts] == [(7.5, 1.5)] * 2


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("seed", "ConfigError: the processes have other options, data or seeds; give all the same, the seed as a "),
        ("rows", "ConfigError: the processes have other options, data or seeds; give all the same, the seed as a "),
        ("batch", "ConfigError: 2 processes need batches of at least 4 rows, two for each; the smallest here has 3."),
    ],
)
def test_processes_that_cannot_train_together_all_refuse(two_processes, name, sentence):
    for facts in facts_of(two_processes):
        assert facts[name].startswith(sentence)


def test_of_failures_under_one_torchrun_one_is_the_first(monkeypatch):
    assert fails_first()  # not under torchrun
    store = torch.distributed.TCPStore("127.0.0.1", free_port(), is_master=True)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(store.port))
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    for restart in "01":
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", restart)
        assert [fails_first() for _ in range(3)] == [True, False, False]


def test_process_whose_launcher_is_gone_speaks_for_itself(monkeypatch):
    def unreachable(*arguments, **options):
        raise torch.distributed.DistNetworkError("refused")

    monkeypatch.setattr(torch.distributed, "TCPStore", unreachable)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    assert fails_first()


def test_several_processes_need_a_gpu_each(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert training_device("cuda") == torch.device("cuda", 1)
    with pytest.raises(ConfigError, match="'cuda:0', but each process needs a GPU of its own; take 'cuda'"):
        training_device("cuda:0")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigError, match="needs GPU 2 and the machine has 2; start one process a GPU"):
        training_device("cuda")


def test_one_process_alone_has_the_whole_batch():
    group = Group(torch.device("cpu"))
    assert (group.rank, group.size, group.share(7)) == (0, 1, slice(0, 7))


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "mps", ""])
def test_device_that_is_none_is_refused(name):
    with pytest.raises(ConfigError, match=r"training\.device"):
        resolve_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_gpu_where_there_is_none_is_refused():
    with pytest.raises(ConfigError, match="take 'cpu'"):
        resolve_device("cuda")
