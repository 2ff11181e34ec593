"""The log: a line an epoch, whole or not there, and no line twice after an interruption."""

from __future__ import annotations

import importlib.util
import json

import pytest

from hammingway.deep import DSH
from hammingway.deep.log import LOG_NAME, Log
from hammingway.errors import FileFormatError, InvalidInputError, MissingExtraError


def entry(step):
    return {"epoch": step, "step": step, "loss": 0.1 * step, "terms": {"pairs": 1.0}}


def test_entries_are_written_as_they_come(tmp_path):
    told = []
    log = Log(tmp_path, report=told.append)
    for step in (1, 2):
        log.write(entry(step))
        assert len((tmp_path / LOG_NAME).read_text().splitlines()) == step
    assert [json.loads(line) for line in (tmp_path / LOG_NAME).read_text().splitlines()] == log.entries == told


def test_entries_after_the_checkpoint_and_half_lines_are_dropped(tmp_path):
    log = Log(tmp_path)
    for step in (1, 2, 3):
        log.write(entry(step))
    with (tmp_path / LOG_NAME).open("a") as file:
        file.write('{"epoch": 4, "st')
    again = Log(tmp_path)
    again.start_at(2)
    again.write(entry(3))
    assert again.entries == log.entries
    assert [json.loads(line)["step"] for line in (tmp_path / LOG_NAME).read_text().splitlines()] == [1, 2, 3]


@pytest.mark.parametrize("line", [b"\xff", b"5", b"[]", b"{}", b'{"step": null}', b"[" * 100_000, b"\0"])
def test_damaged_line_is_refused_with_its_number(tmp_path, line):
    log = Log(tmp_path)
    log.write(entry(1))
    with (tmp_path / LOG_NAME).open("ab") as file:
        file.write(line + b"\n")
    log.write(entry(2))
    with pytest.raises(FileFormatError, match="line 2 is damaged; remove that line"):
        Log(tmp_path).start_at(2)


def test_log_of_a_fit_names_loss_terms_entropy_rate_and_validation(blobs, tmp_path):
    told = []
    DSH(8, random_state=0, training={"epochs": 2, "validation_share": 0.2}).fit(
        *blobs, folder=tmp_path, report=told.append
    )
    assert [set(one) for one in told] == 2 * [
        {"epoch", "step", "loss", "terms", "bit_entropy", "learning_rate", "seconds", "processor_seconds", "validation"}
    ]
    assert told[0]["loss"] == pytest.approx(sum(told[0]["terms"].values()), rel=1e-6)


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is not None, reason="TensorBoard is installed")
def test_missing_tensorboard_is_told_with_the_extra(blobs, tmp_path):
    with pytest.raises(MissingExtraError, match="tensorboard"):
        DSH(8, random_state=0, training={"epochs": 1}).fit(*blobs, folder=tmp_path, tensorboard=True)


def test_tensorboard_without_a_folder_to_write_to_is_refused(blobs):
    with pytest.raises(InvalidInputError, match="writes to the folder of the run; give one"):
        DSH(8, random_state=0, training={"epochs": 1}).fit(*blobs, tensorboard=True)


def test_tensorboard_files_hold_what_the_log_holds(blobs, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    hasher = DSH(8, random_state=0, training={"epochs": 2}).fit(*blobs, folder=tmp_path, tensorboard=True)
    events = EventAccumulator(str(tmp_path)).Reload()
    losses = [event.value for event in events.Scalars("loss")]
    assert losses == pytest.approx([one["loss"] for one in hasher.training_log_], rel=1e-6)
    assert "terms/pairs" in events.Tags()["scalars"]
