"""Find the files for the paths in the config, which may contain `*`, `{language}` and `{part}`."""

import glob
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from babelgrid.errors import UserError, nearest

WILDCARD = re.compile(r"(\{language\}|\{part\}|\*\*/?|\*|\?|\[[^\]]+\])")
PLACEHOLDER = re.compile(r"\{(language|part)\}")
_SUFFIXES = re.compile(r"(\.(csv|tsv|jsonl|ndjson|parquet))?(\.(gz|zst))?$", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_MAX_SHARD = 72
"""Maximum bytes of a shard's name: with the number of a part appended, the name stays within 80."""


@dataclass(frozen=True)
class DataFile:
    """A file of posts, with the language and part given by its path."""

    path: Path
    language: str | None = None
    part: str | None = None


def find_files(patterns: Sequence[str], key: str = "posts.files") -> list[DataFile]:
    """Return the files that match the patterns, sorted within each pattern, without duplicates.

    key: the config key of the patterns, for error messages.
    `*`, `?`, `[…]` and `**` match as in a shell; `{language}` and `{part}` match a piece of one folder or file name.
    If a file, or the leading folders of a pattern, exist under exactly that name, the name is taken literally,
    including brackets. Raises `UserError` if a pattern matches nothing.
    """
    found: dict[Path, DataFile] = {}
    for pattern in patterns:
        for file in _match(pattern, key):
            found.setdefault(file.path, file)
    return list(found.values())


def files_within(folder: str | Path) -> list[Path]:
    """Return all files in a folder and its subfolders, sorted, without hidden ones; empty if the folder is missing."""
    root = Path(folder)
    files = (path for path in root.rglob("*") if path.is_file()) if root.is_dir() else ()
    return sorted(path for path in files if not any(part.startswith(".") for part in path.relative_to(root).parts))


def name_shards(patterns: Sequence[str], key: str = "classify.input") -> dict[str, str]:
    """Return the files that match the patterns, each under a unique name that is safe in a path.

    A name depends only on the file's path below the common folder of all patterns, not on other files. It is this path
    without the suffixes of data files. A digest is appended if the path has folders, is long, or contains characters
    other than letters, digits, `.`, `_` and `-`. Raises `UserError` if a pattern matches nothing or two files would
    get the same name (`a.csv` and `a.csv.gz`).
    """
    folders = (Path(pattern[: _literal_length(pattern)]).absolute() for pattern in patterns)
    root = os.path.commonpath([os.path.normpath(folder) for folder in folders])
    names: dict[str, str] = {}
    for path in sorted({os.path.normpath(file.path) for file in find_files(patterns, key)}):
        name = _shard_name(os.path.relpath(path, root))
        other = names.setdefault(name, path)
        if os.path.relpath(other) != os.path.relpath(path):
            raise UserError(
                f"{key}: {other} and {path} would both be named {name!r} in the results. Rename one of them, or "
                "leave one out"
            )
    return names


def _shard_name(relative: str) -> str:
    stem = _SUFFIXES.sub("", relative)
    if _PLAIN_NAME.fullmatch(stem) and len(stem) <= _MAX_SHARD:
        return stem
    digest = hashlib.sha256(os.fsencode(relative)).hexdigest()[:10]
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip(".-")[: _MAX_SHARD - len(digest) - 1]
    return f"{readable or 'shard'}-{digest}"


def _match(pattern: str, key: str) -> list[DataFile]:
    if Path(pattern).is_file():
        return [DataFile(Path(pattern))]
    end = _literal_length(pattern)
    folders, rest = pattern[:end], pattern[end:]
    expression = re.compile(re.escape(folders) + _expression(rest), re.DOTALL)
    # Path.glob rejects absolute patterns and drops a leading ./
    candidates = sorted(glob.glob(glob.escape(folders) + PLACEHOLDER.sub("*", rest), recursive=True))  # noqa: PTH207
    matches = [match for path in candidates if Path(path).is_file() and (match := expression.fullmatch(path))]
    if not matches:
        raise UserError(f"{key}: no file matches {pattern!r}{_neighbour(Path(pattern))}. Searched from {Path.cwd()}")
    return [DataFile(Path(match[0]), **match.groupdict()) for match in matches]


def _literal_length(pattern: str) -> int:
    """Return the length of the leading part of a pattern whose folders exist under exactly that name."""
    end = 0
    for folder in re.finditer(r"[^/]*/+", pattern):
        if PLACEHOLDER.search(folder[0]) or not Path(pattern[: folder.end()]).is_dir():
            break
        end = folder.end()
    return end


def _expression(pattern: str) -> str:
    """Translate a pattern to a regular expression; a repeated placeholder must match the same text each time."""
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
    return expression


def _neighbour(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (folder {str(path.parent)!r} does not exist)" if not WILDCARD.search(str(path.parent)) else ""
    return nearest(path.name, [entry.name for entry in path.parent.iterdir()])
