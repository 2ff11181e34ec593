"""The bar shows on a terminal after a second, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

import pytest

from hammingway.cli import progress_bar as module
from hammingway.cli.progress_bar import progress_bar

SCRIPT = """
import time
from hammingway.cli import progress_bar as module
module.DELAY_SECONDS = 0.05
with module.noted_bar("encoding") as (progress, note):
    progress(3, 10)
    note("epoch 7: loss 0.5 " + 80 * "x")
    time.sleep({seconds})
    progress(10, 10)
    time.sleep({seconds})
print("done")
"""


def run_on_a_terminal(seconds: float, columns: int = 100) -> str:
    """Return what a terminal connected to the script's stderr receives."""
    ours, theirs = pty.openpty()
    arguments = [sys.executable, "-c", SCRIPT.format(seconds=seconds)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=theirs, env=environment) as process:
        os.close(theirs)
        received = b""
        while chunk := _read(ours):
            received += chunk
    os.close(ours)
    assert process.returncode == 0
    return received.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # Linux answers EIO once the other side is closed
        return b""


def test_long_work_shows_its_label_and_amount_on_a_terminal():
    shown = run_on_a_terminal(seconds=1.0)
    assert "encoding" in shown
    assert "3/10" in shown
    assert "10/10" in shown


def test_the_line_below_the_bar_takes_nothing_from_it_and_is_cut_to_the_terminal():
    shown = run_on_a_terminal(seconds=1.0, columns=60)
    assert "epoch 7: loss 0.5 xxx" in shown
    assert 60 * "x" not in shown
    assert "3/10" in shown


def test_bar_is_wiped_at_the_end():
    assert run_on_a_terminal(seconds=0.5).rstrip().endswith("\x1b[2K")


def test_short_work_shows_nothing():
    assert run_on_a_terminal(seconds=0.0) == ""


def test_nothing_is_drawn_into_a_pipe():
    run = subprocess.run([sys.executable, "-c", SCRIPT.format(seconds=0.2)], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("done\n", "")


def test_bar_closes_when_the_work_fails(monkeypatch):
    monkeypatch.setattr(module, "DELAY_SECONDS", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = []
    monkeypatch.setattr(module, "_rich_bar", lambda note: shown.append(FakeBar()) or shown[-1])
    with pytest.raises(ZeroDivisionError), progress_bar("failing"):
        wait_for(lambda: shown and shown[0].running)
        raise ZeroDivisionError
    assert not shown[0].running


def wait_for(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class FakeBar:
    """Stands in for rich's: remembers whether it runs."""

    running = False

    def add_task(self, *_args, **_options):
        return 0

    def start(self):
        self.running = True

    def stop(self):
        self.running = False
