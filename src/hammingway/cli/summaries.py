"""One line on each registered name, read from source without importing it."""

from __future__ import annotations

import ast
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from hammingway import registry

__all__ = ["summaries", "summary"]


def summaries(kind: str) -> dict[str, str]:
    """Return name -> first line of its docstring, for every registered name of ``kind``, sorted by name.

    Hashers, indexes and data sets are not imported: scikit-learn alone would cost over a second. A
    class whose source cannot be found (a compiled plugin) gets an empty line.
    """
    if kind == "metrics":  # objects that wrap a function, in need of NumPy only
        return {name: _first_line(registry.load(kind, name).function.__doc__) for name in registry.names(kind)}
    entries = {entry.name: entry for entry in entry_points(group=f"hammingway.{kind}")}
    return {name: summary(entries[name]) for name in sorted(entries)}


def summary(entry: EntryPoint) -> str:
    """Return the first line of the docstring of what ``entry`` points at, or "" where there is none.

    For an object, such as a data set, it is the string below its assignment, or else its module's docstring.
    """
    source = _source_file(entry.module)
    if source is None:
        return ""
    module = ast.parse(source.read_bytes())
    for node, following in zip(module.body, [*module.body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == entry.attr:
            return _first_line(ast.get_docstring(node))
        if isinstance(node, ast.Assign) and entry.attr in {getattr(target, "id", "") for target in node.targets}:
            return _first_line(_string(following) or ast.get_docstring(module))
    return ""


def _string(node: ast.stmt | None) -> str | None:
    """Return the text of a statement that is nothing but a string."""
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
    return None


def _first_line(docstring: str | None) -> str:
    """Return the first line, without the marks of reStructuredText, which a terminal does not render."""
    return (docstring or "").strip().partition("\n")[0].replace("``", "").replace("**", "")


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
