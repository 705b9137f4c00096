"""Hash a script together with the babelgrid modules it imports, so that a rule depends on exactly its own code."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[2]
CONFIG = SOURCE / "babelgrid/config"


def modules_behind(script: str | Path) -> list[Path]:
    """Return the sorted files of all babelgrid modules that `script` imports, directly or indirectly.

    Parses the source without importing anything, so it is fast and also finds imports inside functions.
    """
    found: set[Path] = set()
    waiting = list(_imported(Path(script)))
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting.extend(_imported(module))
    return sorted(found)


def hash_code(script: str | Path) -> str:
    """Return one SHA-256 (hexadecimal) over the code of `script` and of every babelgrid module it imports.

    Only code that can change a result is hashed: the syntax trees without docstrings, and the module names. Comments,
    formatting, paths and modification times are ignored, and so are the defaults of settings: a rule gets the values of
    its settings as parameters.
    """
    digest = hashlib.sha256(_hash(Path(script)))
    for module in modules_behind(script):
        digest.update(module.relative_to(SOURCE).as_posix().encode() + _hash(module))
    return digest.hexdigest()


@cache
def _hash(file: Path) -> bytes:
    return hashlib.sha256(ast.dump(_code(file)).encode()).digest()


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    return tuple(module for name in _names(_code(file)) for module in _files(name))


@cache
def _code(file: Path) -> ast.Module:
    """Return the syntax tree of a file without docstrings and, in `config`, without the defaults of settings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for settings in _classes(tree) if file.parent == CONFIG else ():
        for statement in settings.body:
            if isinstance(statement, ast.AnnAssign):
                statement.value = None
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_docstring(statement)]
    return tree


def _classes(tree: ast.AST) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def _is_docstring(statement: ast.stmt) -> bool:
    """Return whether a statement is a bare string, which has no effect anywhere."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(name: str) -> Iterator[Path]:
    """Yield the files of a module and of its parent packages; yield nothing for modules outside babelgrid."""
    parts = name.split(".")
    if parts[0] != "babelgrid":
        return
    for length in range(1, len(parts) + 1):
        stem = SOURCE.joinpath(*parts[:length])
        yield from (path for path in (stem / "__init__.py", stem.with_suffix(".py")) if path.is_file())
