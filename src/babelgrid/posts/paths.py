"""From the paths in the config, with `*`, `{language}` and `{part}`, to files."""

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from babelgrid.errors import UserError, nearest

WILDCARD = re.compile(r"(\{language\}|\{part\}|\*\*/?|\*|\?|\[[^\]]+\])")


@dataclass(frozen=True)
class DataFile:
    """A file of posts, with what its path says about all its rows."""

    path: Path
    language: str | None = None
    part: str | None = None


def find_files(patterns: Sequence[str], key: str = "posts.files") -> list[DataFile]:
    """Return the files that the patterns name, sorted within a pattern, each file once.

    key: of the patterns in the config, for the error.
    `*`, `?`, `[…]` and `**` match as in a shell; `{language}` and `{part}` match a piece of one folder or file name.
    Raises `UserError` if a pattern matches nothing.
    """
    found: dict[Path, DataFile] = {}
    for pattern in patterns:
        for file in _match(pattern, key):
            found.setdefault(file.path, file)
    return list(found.values())


def name_shards(paths: Sequence[str]) -> dict[str, str]:
    """Return a name for each file of an archive, without its suffixes; where two would be the same, with a number."""
    names: dict[str, str] = {}
    for path in paths:
        stem = re.sub(r"[^\w-]", "_", Path(path).name.split(".")[0]) or "shard"
        free = (f"{stem}-{number}" if number > 1 else stem for number in count(1))
        names[next(name for name in free if name not in names)] = path
    return names


def _match(pattern: str, key: str) -> list[DataFile]:
    if Path(pattern).is_file():
        return [DataFile(Path(pattern))]
    expression = _expression(pattern)
    # Path.glob refuses absolute patterns and loses a leading ./
    candidates = sorted(glob.glob(re.sub(r"\{(language|part)\}", "*", pattern), recursive=True))  # noqa: PTH207
    matches = [match for path in candidates if Path(path).is_file() and (match := expression.fullmatch(path))]
    if not matches:
        raise UserError(f"{key}: no file matches {pattern!r}{_neighbour(Path(pattern))}. Looked from {Path.cwd()}")
    return [DataFile(Path(match[0]), **match.groupdict()) for match in matches]


def _expression(pattern: str) -> re.Pattern[str]:
    """Translate a pattern; a placeholder that stands twice must match the same both times."""
    expression = ""
    for piece in WILDCARD.split(pattern):
        if piece in {"{language}", "{part}"}:
            name = piece[1:-1]
            expression += f"(?P={name})" if f"(?P<{name}>" in expression else f"(?P<{name}>[^/]+?)"
        elif piece.startswith("**"):
            expression += ".*"
        elif piece in {"*", "?"}:
            expression += {"*": "[^/]*", "?": "[^/]"}[piece]
        elif WILDCARD.fullmatch(piece):
            expression += piece.replace("[!", "[^")
        else:
            expression += re.escape(piece)
    return re.compile(expression, re.DOTALL)


def _neighbour(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (there is no folder {str(path.parent)!r})" if not WILDCARD.search(str(path.parent)) else ""
    return nearest(path.name, [entry.name for entry in path.parent.iterdir()])
