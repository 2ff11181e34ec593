"""What is promised by name exists, and `import hammingway` costs nothing that is not asked for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module
from pkgutil import walk_packages

import pytest

import hammingway
from hammingway import errors, registry

MODULES = ["hammingway"] + [
    module.name for module in walk_packages(hammingway.__path__, "hammingway.") if "._" not in module.name
]
HEAVY = ["PIL", "altair", "faiss", "h5py", "jinja2", "joblib", "pandas", "pooch", "pyarrow", "scipy", "sklearn"]
HEAVY += ["torch", "usearch", "vl_convert"]


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return set(json.loads(output.splitlines()[-1]))


@pytest.mark.parametrize("name", MODULES)
def test_every_name_in_all_exists(name):
    module = import_module(name)
    names = getattr(module, "__all__", [])
    assert len(names) == len(set(names))
    assert [each for each in names if not hasattr(module, each)] == []
    assert set(names) <= set(dir(module))


def test_every_module_of_the_package_is_walked():
    assert {"hammingway.codes", "hammingway.indexes.flat", "hammingway.kernels"} <= set(MODULES)


@pytest.mark.parametrize(
    "module", [hammingway, import_module("hammingway.testing")], ids=lambda module: module.__name__
)
def test_lazy_module_has_a_home_for_every_name(module):
    assert set(module._HOMES) | {"__version__"} == set(module.__all__) | {"__version__"}
    with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'nonsense'"):
        _ = module.nonsense


@pytest.mark.parametrize("name", hammingway._MODULES)
def test_module_is_there_without_an_import_of_its_own(name):
    if name == "deep":
        pytest.importorskip("torch")
    assert f"hammingway.{name}" in modules_after(f"import hammingway; hammingway.{name}")


def test_without_torch_the_deep_module_is_told_as_an_extra():
    statement = """
import importlib.util, hammingway
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else found(name, *rest)
for _ in range(2):
    try:
        hammingway.deep
    except ImportError as error:
        assert type(error).__name__ == "MissingExtraError" and "Deep hashing needs" in str(error), error
    else:
        raise SystemExit("no error")
"""
    assert "torch" not in modules_after(statement)


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_registered_name_loads(kind):
    assert all(registry.load(kind, name) is not None for name in registry.names(kind))


def drawn_tree() -> list[tuple[str, str | None, str | None]]:
    """Return (class, the class drawn above it, the built-in class in brackets) of the docstring's tree."""
    drawn, above = [], []
    for line in errors.__doc__.splitlines():
        found = re.match(r"^    ([│├└─ ]*)(\w*Error)(?: \((\w+)\))?(?:\s|$)", line)
        if found:
            depth = len(found[1]) // 4
            above = [*above[:depth], found[2]]
            drawn.append((found[2], above[-2] if depth else None, found[3]))
    return drawn


def test_error_tree_is_drawn_as_it_is():
    tree = drawn_tree()
    assert sorted(name for name, _, _ in tree) == sorted(errors.__all__)
    for name, parent, builtin in tree:
        kind = getattr(errors, name)
        bases = [base.__name__ for base in kind.__bases__]
        assert bases == [each for each in (parent or "Exception", builtin) if each], name


def test_every_error_class_is_public():
    classes = {
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert classes == set(errors.__all__)


@pytest.mark.parametrize(
    "statement",
    [
        "import hammingway; dir(hammingway)",
        "from hammingway import Codes, FlatIndex, Neighbors, Originals, Ranges, rerank",
        "import hammingway.faiss_style",
        "import hammingway.code_files, hammingway.config, hammingway.registry, hammingway.storage",
        "import hammingway.metrics, hammingway.datasets, hammingway.datasets.formats",
        "import hammingway.testing.indexes",
        "from hammingway import registry; [registry.names(kind) for kind in registry.KINDS]",
        "import hammingway.cli.main",
        "from click.testing import CliRunner\n"
        "from hammingway.cli.main import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0",
    ],
)
def test_light_part_imports_nothing_heavy(statement):
    roots = {name.split(".")[0] for name in modules_after(statement)}
    assert roots & set(HEAVY) == set()


def test_import_hammingway_does_not_even_import_numpy():
    loaded = modules_after("import hammingway")
    assert "numpy" not in loaded
    assert {name for name in loaded if name.startswith("hammingway.")} == set()


def test_a_hasher_does_import_scikit_learn():
    assert "sklearn" in modules_after("from hammingway import SignHash")
