"""``hammingway info`` tells what this installation is."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from hammingway import __version__, kernels
from hammingway.cli import environment
from hammingway.datasets.download import cache_folder
from hammingway.extras import install_command


@pytest.fixture
def told(run):
    return json.loads(run("info", "--json").stdout)


def test_kernel_in_use_and_all_that_could_be(told):
    assert told["kernel"] == kernels.info()
    assert told["kernel"]["backend"] == kernels.BACKEND


def test_versions(told):
    assert told["hammingway"] == __version__
    assert told["python"] == platform.python_version()
    assert told["packages"]["numpy"] == np.__version__
    assert told["packages"]["click"] == metadata.version("click")


def test_data_folder_is_that_of_the_environment(run, monkeypatch, tmp_path):
    monkeypatch.setenv("HAMMINGWAY_DATA", str(tmp_path))
    assert json.loads(run("info", "--json").stdout)["data_folder"] == str(tmp_path)
    monkeypatch.delenv("HAMMINGWAY_DATA")
    assert json.loads(run("info", "--json").stdout)["data_folder"] is None
    assert "none: set HAMMINGWAY_DATA" in run("info").stdout


def test_download_folder_is_where_data_sets_are_kept(told):
    assert Path(told["download_folder"]) / "mnist" == cache_folder("mnist")


def test_extras_are_those_of_the_project_with_installed_versions(told):
    assert {"data", "report", "compare"} <= set(told["extras"])
    assert "all" not in told["extras"]
    assert told["extras"]["data"]["h5py"] == metadata.version("h5py")


def test_missing_extra_is_told_with_its_pip_command(run, monkeypatch):
    real = environment._version
    monkeypatch.setattr(environment, "_version", lambda name: None if name == "h5py" else real(name))
    assert json.loads(run("info", "--json").stdout)["extras"]["data"]["h5py"] is None
    line = next(line for line in run("info").stdout.splitlines() if line.startswith("extra data"))
    assert line.endswith(f"missing h5py: {install_command('data')}")


def test_text_has_a_line_for_each_fact(run):
    lines = run("info").stdout.splitlines()
    assert lines[0].split() == ["hammingway", __version__]
    labels = [line.split("  ")[0] for line in lines]
    assert labels[:6] == ["hammingway", "python", "platform", "kernel", "threads", "data folder"]
    assert lines[3].removeprefix("kernel").strip() == f"{kernels.BACKEND} (available: {', '.join(kernels.available())})"
