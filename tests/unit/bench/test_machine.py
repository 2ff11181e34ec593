"""A record names the versions of the libraries that are installed, and of no others."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import numpy as np

from hammingway.bench import machine


def test_versions_are_those_of_the_imported_libraries():
    described = machine.describe_machine()
    assert described["numpy"] == np.__version__
    assert described["threads"] >= 1


def test_a_library_that_is_not_installed_is_left_out(monkeypatch):
    def without_torch(name):
        if name == "torch":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(machine, "version", without_torch)
    described = machine.describe_machine()
    assert "torch" not in described
    assert described["scipy"] == version("scipy")
