"""One line on each registered name, read from source without importing it."""

from __future__ import annotations

import ast
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

__all__ = ["summaries", "summary"]


def summaries(kind: str) -> dict[str, str]:
    """Return name -> first line of its docstring, for every registered name of ``kind``, sorted by name.

    Nothing is imported: scikit-learn alone would cost over a second. A name whose source cannot be
    found (a compiled plugin) gets an empty line.
    """
    entries = {entry.name: entry for entry in entry_points(group=f"hammingway.{kind}")}
    return {name: summary(entries[name]) for name in sorted(entries)}


def summary(entry: EntryPoint) -> str:
    """Return the first line of the docstring of what ``entry`` points at, or "" where there is none."""
    source = _source_file(entry.module)
    if source is None:
        return ""
    for node in ast.parse(source.read_bytes()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == entry.attr:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


def _source_file(module: str) -> Path | None:
    # find_spec("a.b") imports a; walking down from the top package's folder imports nothing.
    package, *inner = module.split(".")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin)
    if inner:
        root = root.parent.joinpath(*inner)
        candidates = [root.with_suffix(".py"), root / "__init__.py"]
    else:
        candidates = [root]
    return next((path for path in candidates if path.suffix == ".py" and path.is_file()), None)
