"""Plans and records: a damaged text is refused by name, or is a sound plan or record of what it says."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given

from fuzz.damage import SLOW, damaged, edits, examples, read_or_refuse
from hammingway.bench.spec import Component, DataSpec, PlanSpec, RunSpec, read_plan
from hammingway.bench.store import DataFacts, Record, RecordStore, read_records
from hammingway.config import from_mapping, to_mapping
from hammingway.errors import ConfigError, FileFormatError

pytestmark = [pytest.mark.timeout(7200 if SLOW else 120)]

PLAN = """
title = "A plan"
hashers = [{name = "itq", params = {n_iter = 3}}, {name = "lsh"}]
n_bits = [16, 32]
seeds = [0, 1]
k = 10

[data]
dataset = "digits"
n_queries = 30
split_seed = 5
"""


def test_a_damaged_plan_is_refused_or_is_the_plan_it_says(tmp_path):
    path = tmp_path / "bad.toml"

    @examples(150)
    @given(edits)
    def check(changes):
        path.write_bytes(damaged(PLAN.encode(), changes))
        plan = read_or_refuse(read_plan, path)
        if plan is not None:
            assert plan == from_mapping(PlanSpec, tomllib.loads(path.read_bytes().decode()))

    check()


@pytest.mark.parametrize(
    "text",
    ["k = " + "9" * 5000, "k = " + "[" * 50_000, "k = " + "{a=" * 5000, "k = 1e999", "k = nan"],
    ids=lambda text: text[:12],
)
def test_text_that_exhausts_a_parser_is_refused(tmp_path, text):
    path = tmp_path / "bad.toml"
    path.write_text(PLAN.replace("k = 10", text))
    with pytest.raises(ConfigError, match=r"bad\.toml"):
        read_plan(path)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """The bytes of a file of two records."""
    path = tmp_path_factory.mktemp("records") / "records.jsonl"
    facts = DataFacts(
        digest="b2:0", protocol="p", n_queries=3, n_database=9, n_training=9, d=4, vector_bytes=16, labelled=False
    )
    for seed in range(2):
        spec = RunSpec(data=DataSpec(dataset="digits"), hasher=Component(name="itq"), n_bits=16, seed=seed)
        record = Record(
            run_id=spec.run_id, spec=spec, status="measured", data=facts, environment={"cores": 2},
            started_at="2026-01-01T00:00:00", quality={"recall": 0.5}, curves={"recall": [(1.0, 0.5)]},
        )  # fmt: skip
        RecordStore(path).append(record)
    return path.read_bytes()


def test_damaged_records_are_refused_or_are_what_their_lines_say(tmp_path, records):
    path = tmp_path / "bad.jsonl"

    @examples(150)
    @given(edits)
    def check(changes):
        path.write_bytes(damaged(records, changes))
        found = read_or_refuse(read_records, path)
        if found is not None:
            lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1] if line.strip()]
            assert [record.run_id for record in found] == [line["run_id"] for line in lines]
            assert [record.quality for record in found] == [line.get("quality", {}) for line in lines]
            assert all(record.spec == from_mapping(RunSpec, to_mapping(record.spec)) for record in found)

    check()


def test_a_record_that_exhausts_a_parser_is_refused(tmp_path, records):
    path = tmp_path / "bad.jsonl"
    for text in (b"[" * 100_000, b'{"run_id": ' + b"9" * 10_000 + b"}", b"\xff\xfe", b"1e999"):
        path.write_bytes(records + text + b"\n")
        with pytest.raises(FileFormatError, match="line 3"):
            read_records(path)
