"""The documentation is executed: its Python gives what it shows, its shell commands succeed."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PYTHON_PAGES = [
    "README.md",
    "docs/tutorial/first-search.md",
    "docs/howto/keep-a-collection.md",
    "docs/howto/rerank.md",
    "docs/howto/score-asymmetrically.md",
    "docs/howto/coming-from-faiss.md",
    "docs/howto/scikit-learn.md",
    "docs/howto/sentence-transformers.md",
]
SHELL_PAGES = ["README.md", "docs/howto/search-a-file.md"]


def fenced(page: str, language: str) -> list[str]:
    """Return the blocks of ``page`` fenced as ``language``."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[str]:
    """Return the lines typed at the prompt in the console blocks of ``page``."""
    lines = "\n".join(fenced(page, "console")).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


@pytest.mark.parametrize("page", PYTHON_PAGES)
def test_python_of_a_page_gives_what_the_page_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = fenced(page, "python")
    examples = doctest.DocTestParser().get_doctest("\n\n".join(blocks), {}, page, page, 0)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    result = runner.run(examples, out=report.append)
    assert blocks and result.attempted > 5
    assert result.failed == 0, "".join(report)


@pytest.fixture
def folder_of_a_user(tmp_path):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, 256))
    vectors = (centres[rng.integers(20, size=1500)] + rng.normal(size=(1500, 256))).astype(np.float32)
    np.save(tmp_path / "embeddings.npy", vectors)
    np.save(tmp_path / "queries.npy", vectors[:5] + 0.01)
    return tmp_path


@pytest.mark.parametrize("page", SHELL_PAGES)
def test_shell_commands_of_a_page_succeed(page, folder_of_a_user):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    typed = commands(page)
    assert typed
    for line in typed:
        done = subprocess.run(
            shlex.split(line), cwd=folder_of_a_user, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_every_link_between_pages_leads_to_a_file():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in pages
        if "_build" not in page.parts
        for target in re.findall(r"\]\(([^)#:]+\.(?:md|png|toml))[^)]*\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []
