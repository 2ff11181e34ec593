"""The layers hold: who may import whom, and where a heavy dependency may appear, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "hammingway"

CORE = {"errors", "codes", "results", "registry", "suggest", "config", "progress", "storage", "kernels"}
CORE |= {"code_files", "extras", "ids", "processes", "sole_use"}
LAYERS = {
    **dict.fromkeys(CORE, 0),
    **dict.fromkeys(["hashers", "indexes", "metrics", "datasets"], 1),
    "collection": 2,
    "deep": 2,
    **dict.fromkeys(["faiss_style", "neighbors"], 2),  # the faces that users of other libraries expect
    **dict.fromkeys(["bench", "testing"], 3),
    "reports": 4,
    "cli": 5,  # the last to speak: it prints reports, and nobody imports it but the door to it
    "__main__": 6,
}
BENCH_MAY = ("hashers.base", "hashers.saving", "indexes.base", "indexes.flat", "indexes.rerank", "metrics", "datasets")
DEEP_MAY = tuple(f"hashers.{name}" for name in ("base", "labels", "rows", "threads", "saving"))
DEEP_MAY += ("indexes.base", "indexes.flat", "metrics")
HOMES = {
    "sklearn": {"hashers", "datasets", "testing", "neighbors"},
    "scipy": {"hashers", "neighbors"},
    **{name: {"datasets"} for name in ["h5py", "pyarrow", "PIL", "pooch"]},
    **{name: {"reports"} for name in ["altair", "jinja2", "vl_convert"]},
    **{name: {"bench"} for name in ["faiss", "usearch"]},
    "click": {"cli"},
    "rich": {"cli", "reports"},
    **{name: {"deep"} for name in ["torch", "onnx", "onnxruntime", "transformers"]},
    **{name: set() for name in ["ray", "torchvision", "matplotlib"]},
}
AT_IMPORT_TIME = {
    "sklearn": ("hashers", "testing.hashers", "neighbors"),
    "click": ("cli",),
    "altair": ("reports.charts",),
    "torch": ("deep",),  # its files are of no use without; `deep/__init__.py` loads none of them
    "h5py": ("datasets.formats.hdf5_child",),
}
"""Packages and files of no use without a dependency, which may import it at the top of a file."""


@dataclass(frozen=True)
class Import:
    file: Path
    line: int
    importer: str  # dotted, without "hammingway."; "" is the package itself
    target: str  # dotted; "hammingway.x" for our own
    at_import_time: bool

    @property
    def component(self) -> str:
        return self.importer.split(".")[0]

    @property
    def own_target(self) -> str | None:
        return self.target.removeprefix("hammingway.") if self.target.startswith("hammingway.") else None

    def breaks(self, rule: str) -> str:
        return f"{self.file}:{self.line}: {self.importer or '__init__'} imports {self.target}: {rule}"


def imports_of(source: Path) -> list[Import]:
    modules = {module_name(source, file): file for file in sorted(source.rglob("*.py"))}
    found = []
    for name, file in modules.items():
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
        for node, at_import_time in import_nodes(tree.body, at_import_time=True):
            package = name if file.name == "__init__.py" else name.rpartition(".")[0]
            targets = targets_of(node, package, modules.keys())
            found += [Import(file, node.lineno, name, target, at_import_time) for target in targets]
    return found


def module_name(source: Path, file: Path) -> str:
    parts = file.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_nodes(body: list[ast.stmt], *, at_import_time: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Yield each import and whether running the file runs it; those under TYPE_CHECKING never run."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, at_import_time
            continue
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        later = later or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
        inner += [
            statement
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.ExceptHandler | ast.match_case)
            for statement in child.body
        ]
        yield from import_nodes(inner, at_import_time=at_import_time and not later)


def targets_of(node: ast.Import | ast.ImportFrom, package: str, modules: object) -> list[str]:
    """Return the modules that an import names; a name that is no module of ours counts as its module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        above = f"hammingway.{package}".rstrip(".").split(".")
        base = ".".join([*above[: len(above) - node.level + 1], *([base] if base else [])])
    dotted = [f"{base}.{alias.name}" for alias in node.names]
    return [name if name.removeprefix("hammingway.") in modules or base == "hammingway" else base for name in dotted]


def violations(source: Path) -> list[str]:
    imports = imports_of(source)
    wrong = [text for item in imports for text in (own_rule(item), foreign_rule(item)) if text]
    return wrong + cycles(imports)


def own_rule(item: Import) -> str | None:
    target = item.own_target
    if target is None or target == "__version__":
        return None
    if not item.importer:
        return item.breaks("`import hammingway` loads nothing; add the name to _HOMES")
    to = target.split(".")[0]
    if to not in LAYERS or item.component not in LAYERS:
        return item.breaks("both must be in the layer table of this test; import names from the module that has them")
    if to == item.component:
        return None
    if LAYERS[to] >= LAYERS[item.component] and not LAYERS[to] == LAYERS[item.component] == 0:
        return item.breaks(f"layer {LAYERS[item.component]} may import only layers below, not layer {LAYERS[to]}")
    if item.component == "bench" and LAYERS[to] == 1 and not f"{target}.".startswith(tuple(f"{m}." for m in BENCH_MAY)):
        return item.breaks(f"bench gets contestants by registry name; of layer 1 it may import {', '.join(BENCH_MAY)}")
    if item.component == "deep" and LAYERS[to] == 1 and not f"{target}.".startswith(tuple(f"{m}." for m in DEEP_MAY)):
        return item.breaks(f"deep gets other hashers by registry name; of layer 1 it may import {', '.join(DEEP_MAY)}")
    if to == "hashers" and item.at_import_time and item.component not in ("testing", "neighbors", "deep"):
        return item.breaks("hashers load scikit-learn; import them inside the function that needs them")
    return None


def foreign_rule(item: Import) -> str | None:
    name = item.target.split(".")[0]
    if name not in HOMES:
        return None
    if item.component not in HOMES[name]:
        return item.breaks(f"{name} may be imported only in: {', '.join(sorted(HOMES[name])) or 'nowhere yet'}")
    exempt = tuple(f"{module}." for module in AT_IMPORT_TIME.get(name, ()))
    if item.at_import_time and not f"{item.importer}.".startswith(exempt):
        return item.breaks(f"{name} is heavy or optional; import it inside the function that needs it")
    return None


def cycles(imports: list[Import]) -> list[str]:
    """Return one line for each import of layer 0 from which a chain of imports leads back."""
    edges: dict[str, dict[str, Import]] = {}
    for item in imports:
        to = (item.own_target or "").split(".")[0]
        if item.component in CORE and to in CORE and to != item.component:
            edges.setdefault(item.component, {})[to] = item
    return [
        item.breaks("layer 0 must have no cycles")
        for start, targets in edges.items()
        for to, item in targets.items()
        if start in reachable(to, edges)
    ]


def reachable(start: str, edges: dict[str, dict[str, Import]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += edges.get(name, {})
    return seen


def test_every_import_obeys_the_layers():
    assert not violations(SOURCE), "\n".join(violations(SOURCE))


def test_every_module_has_a_layer():
    here = {path.stem for path in SOURCE.glob("*.py")} | {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert here - {"__init__"} == LAYERS.keys()


PLANTED = {
    ("codes.py", "from hammingway.indexes import FlatIndex"): "may import only layers below",
    ("metrics/ranking.py", "from hammingway.indexes.base import Index"): "may import only layers below",
    ("hashers/x.py", "def f():\n    from hammingway import datasets"): "may import only layers below",
    ("bench/x.py", "from hammingway import cli"): "may import only layers below",
    ("bench/x.py", "from ..reports import html"): "may import only layers below",
    ("reports/x.py", "import hammingway.cli.main"): "may import only layers below",
    ("bench/x.py", "from hammingway.hashers.itq import ITQ"): "by registry name",
    ("bench/x.py", "def f():\n    from hammingway.indexes import FlatIndex"): "by registry name",
    ("cli/x.py", "from hammingway.hashers import Hasher"): "load scikit-learn",
    ("faiss_style.py", "from hammingway.hashers import Hasher"): "load scikit-learn",
    ("indexes/x.py", "from hammingway.neighbors import HammingNeighbors"): "may import only layers below",
    ("cli/x.py", "from hammingway import Codes"): "both must be in the layer table",
    ("__init__.py", "from hammingway.codes import Codes"): "loads nothing",
    ("metrics/x.py", "def f():\n    import scipy.stats"): "may be imported only in: hashers",
    ("hashers/x.py", "import scipy.linalg"): "inside the function",
    ("hashers/x.py", "class A:\n    import torch"): "may be imported only in: deep",
    ("deep/x.py", "import torchvision"): "nowhere yet",
    ("deep/x.py", "from hammingway.hashers.itq import ITQ"): "by registry name",
    ("cli/x.py", "import torch"): "may be imported only in: deep",
    ("datasets/x.py", "try:\n    pass\nexcept ImportError:\n    import h5py"): "inside the function",
    ("reports/x.py", "with open('x'):\n    from altair import Chart"): "inside the function",
    ("datasets/x.py", "if True:\n    import pyarrow"): "inside the function",
}
ALLOWED = [
    ("bench/x.py", "from hammingway.indexes.flat import FlatIndex"),
    ("bench/x.py", "def f():\n    from hammingway.hashers.base import Hasher"),
    ("deep/x.py", "import torch\nfrom hammingway.hashers.base import Hasher"),
    ("cli/x.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from hammingway.hashers import Hasher"),
    ("cli/x.py", "import click\ndef f():\n    from hammingway.hashers import ITQ"),
    ("cli/x.py", "from hammingway.reports import html"),
    ("hashers/x.py", "from sklearn.base import BaseEstimator\ndef f():\n    import scipy.linalg"),
    ("neighbors.py", "from sklearn.base import BaseEstimator\nfrom hammingway.hashers import Hasher"),
    ("kernels/x.py", "from hammingway.codes import Codes\nfrom . import layout"),
]


def plant(tmp_path: Path, name: str, text: str) -> Path:
    for package in ("bench", "cli", "datasets", "deep", "hashers", "indexes", "kernels", "metrics", "reports"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    for module in ("hashers/base", "hashers/itq", "indexes/base", "indexes/flat", "reports/html"):
        (tmp_path / f"{module}.py").write_text("")
    (tmp_path / name).write_text(f"\n\n{text}\n")
    return tmp_path


@pytest.mark.parametrize(("planted", "rule"), PLANTED.items(), ids=[" ".join(planted) for planted in PLANTED])
def test_planted_violation_is_reported_with_file_line_and_rule(tmp_path, planted, rule):
    name, text = planted
    (report,) = violations(plant(tmp_path, name, text))
    line = 3 + next(number for number, row in enumerate(text.split("\n")) if "import " in row)
    assert report.startswith(f"{tmp_path / name}:{line}: ")
    assert rule in report


@pytest.mark.parametrize(("name", "text"), ALLOWED, ids=[" ".join(allowed) for allowed in ALLOWED])
def test_allowed_import_is_not_reported(tmp_path, name, text):
    assert violations(plant(tmp_path, name, text)) == []


def test_planted_cycle_in_the_core_is_reported(tmp_path):
    (tmp_path / "codes.py").write_text("def f():\n    from hammingway import storage\n")
    (tmp_path / "storage.py").write_text("from hammingway.ids import check_ids\n")
    (tmp_path / "ids.py").write_text("import hammingway.codes\n")
    reports = violations(tmp_path)
    assert len(reports) == 3
    assert all("no cycles" in report for report in reports)
