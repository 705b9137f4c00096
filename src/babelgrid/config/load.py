"""From merged YAML to a checked experiment, with one clear error."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from babelgrid.config.experiment import Experiment
from babelgrid.errors import UserError

Location = tuple[int | str, ...]


def load_experiment(merged: Mapping[str, Any], files: Sequence[str | Path] = ()) -> Experiment:
    """Check a merged config. `files`, in the order of merging, serve to name the file that is wrong.

    Raises `UserError` with one line per mistake: file, key path, what was found, what is allowed.
    """
    try:
        return Experiment.model_validate(dict(merged))
    except ValidationError as error:
        lines = [_explain(mistake, files) for mistake in error.errors()]
        raise UserError("\n".join(["The config has mistakes:", *lines])) from None


def read_experiment(*files: str | Path) -> Experiment:
    """Read and merge config files (later ones win, key by key) as Snakemake's `--configfile` does."""
    merged: dict[str, Any] = {}
    for path in files:
        merged = _merge(merged, _read_yaml(path))
    return load_experiment(merged, files)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both_blocks = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both_blocks else value
    return merged


def _read_yaml(path: str | Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a block of keys such as 'experiment: name'; found {type(content).__name__}")
    return content


def _explain(mistake: Any, files: Sequence[str | Path]) -> str:
    location: Location = mistake["loc"]
    message = mistake["msg"].removeprefix("Value error, ")
    found = mistake["input"]
    if mistake["type"] != "value_error" and not isinstance(found, dict):
        message = f"{message}; found {found!r}"
    if mistake["type"] == "missing":
        message = "this key is needed and is missing"
    path = ".".join(str(part) for part in location) or "the whole config"
    return f"  {_file_that_says(location, files)}{path}: {message}. (config/README.md explains every key.)"


def _file_that_says(location: Location, files: Sequence[str | Path]) -> str:
    """Name the last file that holds the deepest part of the key path."""
    best, depth = "", -1
    for path in files:
        reached = _depth(_read_yaml(path), location)
        if reached >= depth:
            best, depth = f"{path}: ", reached
    return best


def _depth(content: Any, location: Location) -> int:
    for level, key in enumerate(location):
        is_there = (
            key in content if isinstance(content, Mapping) else isinstance(content, list) and key in range(len(content))
        )
        if not is_there:
            return level
        content = content[key]
    return len(location)
