"""``hammingway demo`` measures its plan, prints a table and writes a report."""

from __future__ import annotations

import json

import msgspec

from hammingway.bench import session


def test_demo_prints_a_line_a_run_and_writes_records_and_report(run, tmp_path, monkeypatch):
    shorter = msgspec.structs.replace(session.DEMO_PLAN, n_bits=(8,), hashers=session.DEMO_PLAN.hashers[:3], repeats=1)
    monkeypatch.setattr(session, "DEMO_PLAN", shorter)
    result = run("demo", "--out", tmp_path / "demo")
    assert result.exit_code == 0, result.output
    starts = [line.split()[:2] for line in result.stdout.splitlines()]
    assert all([component.name, "8"] in starts for component in shorter.hashers)
    records = (tmp_path / "demo" / "records.jsonl").read_text().splitlines()
    assert [json.loads(record)["spec"]["hasher"]["name"] for record in records] == ["lsh", "sign", "pcah"]
    assert "<script src" not in (tmp_path / "demo" / "report.html").read_text()
    assert str(tmp_path / "demo" / "report.html") in result.output


def test_demo_into_a_file_is_refused_in_one_sentence(refused, tmp_path):
    (tmp_path / "demo").write_text("a file")
    assert "'--out'" in refused("demo", "--out", tmp_path / "demo")
