"""Two processes on half a batch each end as one process on the whole."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.deep import DeepHasher
from hammingway.deep.distributed import Group, resolve_device
from hammingway.errors import ConfigError
from hammingway.hashers import load_hasher

SCRIPT = """
import sys, json, os, warnings, numpy as np, torch
from hammingway.deep import DeepHasher
torch.set_num_threads(1)
data = np.load(sys.argv[1])
for number, (objective, network, training) in enumerate(json.loads(sys.argv[2])):
    hasher = DeepHasher(9, objective=objective, network=network, training=training, random_state=3)
    hasher.fit(data["X"], data["y"], folder=f"{sys.argv[3]}/{number}")
    hasher.save(f"{sys.argv[3]}/{number}.{os.environ['RANK']}.hasher")
torch.distributed.destroy_process_group()
"""
BUDGET = {"epochs": 3, "batch_size": 40, "optimizer": "sgd", "learning_rate": 0.05, "validation_share": 0.2}
RUNS = [
    ("dsh", "mlp", BUDGET),
    ("hashnet", "linear", {**BUDGET, "clip_norm": 0.5}),
    ("jmlh", "linear", {**BUDGET, "micro_batch_size": 7}),
    ("bihalf", "linear", {**BUDGET, "batch_size": 33}),
]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def two_processes(blobs, tmp_path_factory):
    """The folder where two gloo processes have left what they fitted."""
    import json

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
