"""One-line summaries come from source, without an import."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

from hammingway import ITQ
from hammingway.cli.summaries import summaries, summary
from hammingway.registry import KINDS


def test_line_is_the_first_of_the_docstring():
    assert summaries("hashers")["itq"] == ITQ.__doc__.partition("\n")[0]


def test_hashers_are_summarised_without_importing_scikit_learn():
    script = (
        "import sys; from hammingway.cli.summaries import summaries\n"
        "assert len(summaries('hashers')) >= 7; print('sklearn' in sys.modules, 'numpy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False False\n"


def test_function_of_a_module_is_summarised():
    assert summary(EntryPoint("x", "hammingway.registry:names", "g")).startswith("Return the registered names")


def test_object_is_summarised_by_its_module():
    assert "digits" in summaries("datasets")["digits"]


def test_object_with_a_string_of_its_own_is_summarised_by_that():
    lines = summaries("datasets")
    assert lines["mnist"].startswith("MNIST: ")
    assert lines["fashion-mnist"].startswith("Fashion-MNIST: ")


def test_lines_hold_no_marks_of_restructuredtext():
    lines = [line for kind in KINDS for line in summaries(kind).values()]
    assert [line for line in lines if "``" in line or "**" in line] == []


def test_what_has_no_source_has_an_empty_line():
    assert summary(EntryPoint("x", "math:sin", "g")) == ""
    assert summary(EntryPoint("x", "no_such_package.module:thing", "g")) == ""
    assert summary(EntryPoint("x", "hammingway.no_such_module:thing", "g")) == ""
    assert summary(EntryPoint("x", "hammingway.registry:no_such_name", "g")) == ""
