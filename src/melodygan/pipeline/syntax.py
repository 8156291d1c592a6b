"""What Python code says, apart from how it is written: a digest of its syntax tree.

A comment, a line break or a docstring cannot change a result, unless the code reads its own text;
docs/adr/0009-code-by-its-syntax-tree.md says what that costs. So cache keys and fingerprints use
this digest, and a reworded comment throws away no week of training.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# `u` before a string, comments on types, and whether a name is read or set (its place says that)
_SILENT = ("kind", "type_comment", "type_ignores", "ctx")


def meaning(files: Iterable[str]) -> dict[str, str]:
    """SHA-256 by file: of the syntax tree of Python code, of the bytes of anything else."""
    return {file: _digest(Path(file)) for file in files}


def imports(path: Path) -> tuple[str, ...]:
    """Names of the modules, and of what may be modules, in the import statements of a file.

    Raises SyntaxError for what is not Python.
    """
    return _read(path.read_bytes(), str(path))[1]


def _digest(path: Path) -> str:
    source = path.read_bytes()
    if path.suffix == ".py":
        try:
            return _read(source, str(path))[0]
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass  # Python cannot run it either, so nothing depends on what it means
    return hashlib.sha256(source).hexdigest()


@cache  # the digest is asked for files whose imports were: parsing is what takes time
def _read(source: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    tree = ast.parse(source, name)
    return hashlib.sha256("".join(_words(tree)).encode()).hexdigest(), tuple(_imports(tree))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _words(node: object) -> Iterator[str]:
    """The tree as text, without empty fields: later versions of Python add some."""
    if isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for field in node._fields:
            value = getattr(node, field, None)
            if field == "body" and isinstance(node, _DOCUMENTED):
                value = _without_docstring(node.body)
            if field not in _SILENT and value not in (None, []):
                yield f" {field}="
                yield from _words(value)
        yield ")"
    elif isinstance(node, list):
        for item in node:
            yield from _words(item)
    else:
        yield repr(node)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(ast.Constant(str())), *rest]:
            return rest
    return body
