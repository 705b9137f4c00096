"""Remove private parts of paths from results that are shared."""

import os
import re
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

_OUTWARD = re.compile(r"(?:~|/|\.\.(?:/|$))|.*/\.\./", re.DOTALL)
"""Pattern of a path that may lead out of the working directory."""
_OF_HOMES = {"/home", "/Users", str(Path.home().parent)}
"""Parents of home folders; the folders in them are named after users."""
VERBATIM = ("prompt", "labels", "answers", "template")
"""Settings whose texts are written by the user and are never paths."""


def public_path(path: str | Path) -> str:
    """Return a path relative to the working directory; cut an outside path, which may name a user, to its last part."""
    given = Path(path).expanduser()
    inside = Path(os.path.relpath(given))
    if inside.parts[:1] == (os.pardir,):
        outside = Path(os.path.normpath(given))
        return "~" if str(outside.parent) in _OF_HOMES else outside.name
    return str(inside) if given.is_absolute() else str(path)


def public_paths(paths: Sequence[str | Path]) -> dict[str, str]:
    """Return the public path of each path (as text), numbered if two would be the same."""
    names: dict[str, str] = {}
    for path in map(str, paths):
        public = public_path(path)
        numbered = (public if number == 1 else f"{public} ({number})" for number in count(1))
        names.setdefault(path, next(name for name in numbered if name not in names.values()))
    return names


def public_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings (built-in types) with each path that leads out of the working directory cut to its last part."""
    return {key: value if key in VERBATIM else _public(value) for key, value in settings.items()}


def _public(value: Any) -> Any:
    if isinstance(value, Mapping):
        return public_settings(value)
    if isinstance(value, (list, tuple)):
        return [_public(part) for part in value]
    return public_path(value) if isinstance(value, str) and _OUTWARD.match(value) else value
