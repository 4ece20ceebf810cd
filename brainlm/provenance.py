"""Which code made a result: a fingerprint over the syntax of a step and all that it imports from the package."""

import ast
import hashlib
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

PACKAGE = Path(__file__).parent


def code_version(*modules: str) -> str:
    """Fingerprint of ``modules`` and of every package module that they import, directly or not.

    Docstrings, comments and layout do not count: 12 hex digits over the syntax trees. Only imports that are
    written out are seen, so nothing in the package is imported by a computed name but learning rules, whose
    training step names its rule's module here.

    Raises
    ------
    ValueError
        If a module is not part of the package.
    """
    digest = hashlib.sha256()
    for path in source_files(*modules):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(_syntax(path.read_text(encoding="utf-8")))
    return digest.hexdigest()[:12]


def source_files(*modules: str) -> list[Path]:
    """Files of ``modules`` and of every package module that they import, directly or not, sorted."""
    for name in modules:
        if _file_of(name) is None:
            raise ValueError(f"{name} is no module of the package brainlm.")
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _file_of(name)
        if path is None or name in found:
            continue
        found[name] = path
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += _imported(path.read_text(encoding="utf-8"), package)
    return sorted(found.values())


@cache  # the workflow asks for every job anew
def _syntax(code: str) -> bytes:
    return ast.dump(_without_docstrings(ast.parse(code))).encode()


@cache
def _imported(code: str, package: str) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def _file_of(name: str) -> Path | None:
    parts = name.split(".")
    if parts[0] != "brainlm":
        return None
    path = PACKAGE.joinpath(*parts[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if len(parts) > 1 and candidate.is_file():
            return candidate
    return None


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and body
            and ast.get_docstring(node) is not None
        ):
            node.body = body[1:] or [ast.Pass()]
    return tree
