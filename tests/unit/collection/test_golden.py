"""Collections that earlier versions wrote answer as they did then, and can be written to."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from hammingway import Codes, Collection

GOLDEN = Path(__file__).parents[2] / "golden"


def answers_of(version):
    spec = importlib.util.spec_from_file_location(f"make_{version}", GOLDEN / f"make_{version}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.answers


@pytest.mark.parametrize("id_type", ["integer", "string"])
@pytest.mark.parametrize("version", ["v1"])
def test_old_collection_answers_as_it_did(tmp_path, version, id_type):
    shutil.copytree(GOLDEN / version / id_type, tmp_path / "c")
    expected = json.loads((GOLDEN / version / f"{id_type}.json").read_text())
    assert len(expected["codes"]) == 36 and expected["damages"] == []
    assert answers_of(version)(tmp_path / "c") == expected
    with Collection.open(tmp_path / "c") as collection:
        codes = Codes.from_bits(np.ones((1, 20), int))
        collection.add(codes, ids=["fresh"] if id_type == "string" else [1000], vectors=np.ones((1, 4), int))
        collection.compact()
        assert len(collection) == 37 and collection.verify() == []
