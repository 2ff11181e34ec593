"""``hammingway train`` runs a plan, prints a table, and says what was wrong with it."""

from __future__ import annotations

import json

import pytest

PLAN = """
title = "Deep on [vectors]"
[data]
dataset = "vectors.npy"
labels = "labels.npy"
n_queries = 40
[base]
hasher = "dsh"
n_bits = 8
[base.training]
epochs = 1
validation_share = 0.1
[grid]
"objective.margin" = [4.0, 16.0]
"""


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def test_table_has_a_row_a_variant(run, files, plan, tmp_path):
    result = run("train", plan, "--out", tmp_path / "out", "--data-dir", files)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].strip() == "Deep on [vectors]"
    assert lines[1].split()[:4] == ["variant", "bits", "seed", "epoch"]
    assert [line.split()[0] for line in lines[2:]] == ["objective.margin=4.0", "objective.margin=16.0"]


def test_json_and_markdown_show_the_same_runs_again(run, files, plan, tmp_path):
    arguments = ("train", plan, "--out", tmp_path / "out", "--data-dir", files)
    objects = [json.loads(line) for line in run(*arguments, "--json").stdout.splitlines()]
    assert [one["name"] for one in objects] == ["objective.margin=4.0", "objective.margin=16.0"]
    assert 0 < objects[0]["mAP@all"] < 1 and 0 < objects[0]["validation map"] < 1
    table = run(*arguments, "--markdown").stdout.splitlines()
    assert len(table) == 4
    assert f"{objects[0]['mAP@all']:.4f}" in table[2]


def test_table_ends_with_the_processor_time_of_the_fit(run, files, plan, tmp_path):
    arguments = ("train", plan, "--out", tmp_path / "out", "--data-dir", files)
    (first, _) = (json.loads(line) for line in run(*arguments, "--json").stdout.splitlines())
    titles, _, row, _ = (
        [cell.strip() for cell in line.split("|")] for line in run(*arguments, "--markdown").stdout.splitlines()
    )
    assert (titles[-2], row[-2]) == ("fit processor s", f"{first['fit_processor_seconds']:.4f}")


def test_tensorboard_events_stand_beside_the_log_on_demand(run, files, plan, tmp_path):
    pytest.importorskip("tensorboard")
    result = run("train", plan, "--out", tmp_path / "out", "--data-dir", files, "--tensorboard")
    assert result.exit_code == 0, result.output
    for folder in (tmp_path / "out").iterdir():
        assert len(list(folder.glob("events.out.tfevents.*"))) == 1


def test_interrupted_training_says_which_step_the_folder_of_its_variant_keeps(
    run, files, plan, tmp_path, ctrl_c_in_third_step
):
    plan.write_text(PLAN.replace("epochs = 1", "steps = 9"))
    result = run("train", plan, "--out", tmp_path / "out", "--data-dir", files)
    assert (result.exit_code, result.stdout) == (130, "")
    kept = tmp_path / "out" / "objective.margin=4.0"
    assert result.stderr == (
        f"Error: Interrupted; {kept} keeps step 3 of 9, and the same command goes on from there.\n"
    )


def test_dry_run_needs_no_data_and_trains_nothing(run, plan, tmp_path):
    result = run("train", plan, "--out", tmp_path / "out", "--dry-run")
    assert result.stdout.splitlines()[0].startswith("objective.margin=4.0: dsh(objective={'margin': 4.0}")
    assert not (tmp_path / "out").exists()


def test_variant_that_cannot_be_run_is_named_below_the_table(run, files, plan, tmp_path):
    plan.write_text(PLAN.replace('"objective.margin" = [4.0, 16.0]', '"max_training_rows" = [1, 200]'))
    result = run("train", plan, "--out", tmp_path / "out", "--data-dir", files)
    assert result.exit_code == 0
    assert "max_training_rows=1: refused, DSH of 8 bits needs at least 2 training rows" in result.stdout


def test_labels_that_a_plan_lacks_are_told_before_anything_trains_and_may_be_added(run, refused, files, plan, tmp_path):
    arguments = ("train", plan, "--out", tmp_path / "out", "--data-dir", files)
    plan.write_text(PLAN.replace('labels = "labels.npy"\n', ""))
    assert refused(*arguments) == (
        "the variant 'objective.margin=4.0': it needs labels and the data has none; name their file under "
        '[data], labels = "FILE", or take that variant out of the plan.'
    )
    assert not (tmp_path / "out").exists()
    plan.write_text(PLAN)
    assert run(*arguments).exit_code == 0


def test_plan_of_which_nothing_can_be_trained_ends_in_a_sentence(refused, files, plan, tmp_path):
    plan.write_text(PLAN.replace("n_bits = 8", "n_bits = 8\nmax_training_rows = 1"))
    arguments = ("train", plan, "--out", tmp_path / "out", "--data-dir", files)
    said = refused(*arguments)
    assert said.startswith("No variant could be trained: objective.margin=4.0: refused, DSH of 8 bits needs at least 2")
    assert "fewer. objective.margin=16.0: refused, DSH" in said
    assert refused(*arguments) == said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs = 1", "epoch = 1", "Did you mean 'epochs'"),
        ('hasher = "dsh"', 'hasher = "dhs"', "Did you mean 'dsh'"),
        ("[grid]", "[gird]", "Did you mean 'grid'"),
        ("n_bits = 8", "nbits = 8", "the base lacks 'n_bits'; it has hasher, nbits, training"),
        ("[grid]", "[grid]\nsead = [1]", "Did you mean 'seed'"),
        ("epochs = 1", "learning_rate = nan", "plan.toml, base.training.learning_rate is nan; give a finite number"),
        ("[4.0, 16.0]", "[4.0, -inf]", "plan.toml, grid.objective.margin[1] is -inf; give a finite number"),
        ("[grid]", f"[base.network{'.a' * 3000}]\n[grid]", "is nested deeper than 64 levels; make it flatter"),
        ('"objective.margin"', f'"objective.margin{".a" * 3000}"', "a path has at most 64 names"),
        ("epochs = 1", 'optimizer = "adma"', "training, optimizer cannot be 'adma'. Did you mean 'adam' or 'adamw'?"),
        ('"objective.margin"', '"objectiv.margin"', "Did you mean 'objective'"),
        ("epochs = 1", 'device = "banana"', "training.device must be 'cpu', 'cuda' or 'cuda:N'; got 'banana'"),
    ],
)
def test_slip_in_a_plan_gets_a_suggestion_by_a_dry_run_too(refused, files, plan, tmp_path, old, new, said):
    plan.write_text(PLAN.replace(old, new))
    arguments = ("train", plan, "--out", tmp_path / "out", "--data-dir", files)
    assert said in refused(*arguments)
    assert refused(*arguments, "--dry-run") == refused(*arguments)
