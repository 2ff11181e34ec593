"""Collections that earlier versions wrote answer as they did then, and can be written to."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from hammingway import Codes, Collection
from hammingway.collection.changes import Change
from hammingway.collection.records import FORMAT_VERSION
from hammingway.errors import FileFormatError

GOLDEN = Path(__file__).parents[2] / "golden"
VERSIONS = [f"v{number}" for number in range(1, FORMAT_VERSION + 1)]


def load_answers():
    spec = importlib.util.spec_from_file_location("make", GOLDEN / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.answers


answers = load_answers()


@pytest.mark.parametrize("id_type", ["integer", "string"])
@pytest.mark.parametrize("version", VERSIONS)
def test_old_collection_answers_as_it_did(tmp_path, version, id_type):
    shutil.copytree(GOLDEN / version / id_type, tmp_path / "c")
    expected = json.loads((GOLDEN / version / f"{id_type}.json").read_text())
    assert len(expected["codes"]) == 36 and expected["damages"] == []
    assert answers(tmp_path / "c") == expected
    with Collection.open(tmp_path / "c") as collection:
        codes = Codes.from_bits(np.ones((1, 20), int))
        collection.add(codes, ids=["fresh"] if id_type == "string" else [1000], vectors=np.ones((1, 4), int))
        collection.compact()
        assert len(collection) == 37 and collection.verify() == []
        assert collection.stats().format_version == FORMAT_VERSION
        assert collection.delete(["fresh"] if id_type == "string" else [1000]) == 1
    assert answers(tmp_path / "c") == expected


@pytest.mark.parametrize("id_type", ["integer", "string"])
def test_interrupted_step_to_the_present_version_leaves_the_old_one(tmp_path, monkeypatch, id_type):
    shutil.copytree(GOLDEN / "v1" / id_type, tmp_path / "c")
    files = sorted(path.name for path in (tmp_path / "c" / "segments").iterdir())
    expected = json.loads((GOLDEN / "v1" / f"{id_type}.json").read_text())

    def interrupted(change):
        raise KeyboardInterrupt

    with Collection.open(tmp_path / "c") as collection:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Change, "finish", interrupted)
            collection.compact()
        assert collection.stats().format_version == 1
        assert sorted(path.name for path in (tmp_path / "c" / "segments").iterdir()) == files
    assert answers(tmp_path / "c") == expected
    with Collection.open(tmp_path / "c") as collection:
        collection.compact()
    assert answers(tmp_path / "c") == expected


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE names SET name = 'other' WHERE key = 9",
        "DELETE FROM names WHERE key = 9",
        "UPDATE names SET key = 900 WHERE key = 9",
    ],
)
def test_changed_or_lost_name_of_version_1_is_noticed(tmp_path, statement):
    shutil.copytree(GOLDEN / "v1" / "string", tmp_path / "c")
    connection = sqlite3.connect(tmp_path / "c" / "collection.db")
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(FileFormatError, match=r"collection\.db is damaged: .*names"):
        Collection.open(tmp_path / "c")
