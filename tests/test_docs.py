"""The documentation is executed: its Python gives what it shows, its shell commands succeed."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hammingway.bench.spec import Component, DataSpec, ModelFile, PlanSpec

ROOT = Path(__file__).parents[1]
CODES_PAGE = "docs/howto/sentence-transformers.md"
FILE_PAGE = "docs/howto/search-a-file.md"
PLAN_PAGE = "docs/howto/compare-hashers.md"
TABLE_PAGE = "docs/howto/search-a-table.md"
TRAIN_PAGE = "docs/howto/train.md"
PLUGIN_PAGE = "docs/howto/write-a-hasher.md"
PYTHON_PAGES = [
    "README.md",
    "docs/tutorial/first-search.md",
    "docs/howto/keep-a-collection.md",
    "docs/howto/rerank.md",
    "docs/howto/score-asymmetrically.md",
    "docs/howto/search-part-of-an-index.md",
    "docs/howto/coming-from-faiss.md",
    "docs/howto/scikit-learn.md",
    TRAIN_PAGE,
    TABLE_PAGE,
    "docs/explanation/deep-methods.md",
    "docs/explanation/distilled-codes.md",
    "docs/explanation/metrics.md",
    CODES_PAGE,
]
SHELL_PAGES = ["README.md", FILE_PAGE, PLAN_PAGE, "docs/howto/collection-from-the-shell.md"]


def fenced(page: str, language: str) -> list[str]:
    """Return the blocks of ``page`` fenced as ``language``."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[str]:
    """Return the lines typed at the prompt in the console blocks of ``page``."""
    lines = "\n".join(fenced(page, "console")).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def run_python(page: str) -> None:
    """Run the examples of ``page`` in the working folder, and fail where one shows something else."""
    blocks = fenced(page, "python")
    examples = doctest.DocTestParser().get_doctest("\n\n".join(blocks), {}, page, page, 0)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    result = runner.run(examples, out=report.append)
    assert blocks and result.attempted > 5
    assert result.failed == 0, "".join(report)


def run_shell(lines: list[str], folder: Path, **variables: str) -> str:
    """Run ``lines`` in ``folder``, fail where one does, and return what the last one printed.

    One thread for OpenMP: where other work keeps the cores busy, threads that wait for each other by spinning make
    a training of seconds one of minutes.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables, "PATH": path}
    assert lines
    for line in lines:
        done = subprocess.run(
            shlex.split(line), cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def one_torch_thread():
    """Train on one thread, as the commands do, for the same reason."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.timeout(300)  # the commands of a page are processes that each load PyTorch
@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.parametrize("page", PYTHON_PAGES)
def test_python_of_a_page_gives_what_the_page_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_python(page)
    if page == CODES_PAGE:  # its commands read what its Python wrote
        assert len(run_shell(commands(page), tmp_path).splitlines()) == 3
    if page == TABLE_PAGE:
        assert len(run_shell(commands(page), tmp_path).splitlines()) == 300
    if page == TRAIN_PAGE:
        (plan,) = fenced(page, "toml")
        (tmp_path / "plan.toml").write_text(plan)
        assert "near-linear,seed=1" in run_shell(commands(page), tmp_path)


@pytest.fixture
def folder_of_a_user(tmp_path):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, 256))
    vectors = (centres[rng.integers(20, size=1500)] + rng.normal(size=(1500, 256))).astype(np.float32)
    np.save(tmp_path / "embeddings.npy", vectors)
    np.save(tmp_path / "queries.npy", vectors[:5] + 0.01)
    (tmp_path / "notes.jsonl").write_text("".join(f'{{"year": {2000 + i % 25}}}\n' for i in range(1500)))
    return tmp_path


@pytest.mark.parametrize("page", SHELL_PAGES)
def test_shell_commands_of_a_page_succeed(page, folder_of_a_user, monkeypatch):
    if page == PLAN_PAGE:
        (plan,) = fenced(page, "toml")
        (folder_of_a_user / "plan.toml").write_text(plan)
    run_shell(commands(page), folder_of_a_user)
    if page in (FILE_PAGE, PLAN_PAGE):  # its Python reads what its commands wrote
        monkeypatch.chdir(folder_of_a_user)
        run_python(page)


def keys_of_a_plan() -> dict[str, msgspec.structs.FieldInfo]:
    """Return every key of a plan file, those of its tables behind a dot."""
    tables = {"data": DataSpec, "hashers": Component, "models": ModelFile}
    keys = {field.name: field for field in msgspec.structs.fields(PlanSpec) if field.name not in tables}
    for name, table in tables.items():
        keys |= {f"{name}.{field.name}": field for field in msgspec.structs.fields(table)}
    return keys


def test_the_page_on_plans_has_every_key_with_its_default():
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.+?) \| .+ \|$", (ROOT / PLAN_PAGE).read_text(), re.MULTILINE)
    keys = keys_of_a_plan()
    assert sorted(name for name, _ in rows) == sorted(keys)
    for name, cell in rows:
        field = keys[name]
        if cell.startswith("`"):
            value = tomllib.loads(f"value = {cell.strip('`')}")["value"]
            default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
            assert msgspec.convert(value, field.type) == default, name
        else:
            assert cell == ("required" if field.required else "none"), name


def test_the_plugin_of_its_page_is_listed_measured_and_keeps_the_contract(tmp_path):
    module, test = fenced(PLUGIN_PAGE, "python")
    (project,) = [tomllib.loads(block) for block in fenced(PLUGIN_PAGE, "toml")]
    (module_name,) = project["tool"]["setuptools"]["py-modules"]
    (tmp_path / f"{module_name}.py").write_text(module)
    (tmp_path / "test_plugin.py").write_text(test)
    # What pip leaves behind of the distribution; to install it would change the environment of the tests.
    metadata = tmp_path / f"{module_name}-{project['project']['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: {project['project']['name']}\nVersion: 0.1\n")
    entries = project["project"]["entry-points"]["hammingway.hashers"]
    lines = [f"{name} = {target}" for name, target in entries.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[hammingway.hashers]", *lines]))
    install, *typed = commands(PLUGIN_PAGE)
    assert install == "pip install ."
    assert "median,lsh" in typed[-1]
    assert "cut at the median" in run_shell(typed[:1], tmp_path, PYTHONPATH=str(tmp_path))
    assert "median" in run_shell(typed[1:], tmp_path, PYTHONPATH=str(tmp_path))
    checked = run_shell(["python -m pytest -q test_plugin.py"], tmp_path, PYTHONPATH=str(tmp_path))
    assert "1 passed" in checked


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
