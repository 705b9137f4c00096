"""Load merged YAML as a checked experiment, and report all mistakes in one error."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from babelgrid.config.experiment import Experiment
from babelgrid.config.shown import shown
from babelgrid.config.strict_yaml import parse, read_config_file, shown_path
from babelgrid.errors import UserError

Location = tuple[int | str, ...]


def load_experiment(
    merged: Mapping[str, Any], files: Sequence[str | Path] = (), arguments: Sequence[str] = ()
) -> Experiment:
    """Check a merged config and return its experiment.

    files: the files that were merged, in order. The merge may have lost a duplicate key or read `010` as 8, so the
    files are read again to detect this; an error names the file with the mistake.
    arguments: `key=value` pairs from the command line, merged last.
    Raises `UserError` with one line per mistake: file, key path, what was found, what is allowed.
    """
    contents = {path: read_config_file(path) for path in files}
    _check_arguments(arguments)
    try:
        return Experiment.model_validate(dict(merged))
    except ValidationError as error:
        lines = _explain_all(error.errors(), merged, contents)
        raise UserError("\n".join(["The config has mistakes:", *lines])) from None
    except RecursionError:
        raise UserError("The config is nested too deeply") from None


def read_experiment(*files: str | Path) -> Experiment:
    """Read and merge config files (later ones win, key by key) as Snakemake's `--configfile` does."""
    merged: dict[str, Any] = {}
    for path in files:
        merged = _merge(merged, read_config_file(path))
    return load_experiment(merged, files)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both_blocks = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both_blocks else value
    return merged


def _check_arguments(arguments: Sequence[str]) -> None:
    """Reject a key that is given twice on the command line, or twice within a block given there."""
    names = [argument.partition("=")[0] for argument in arguments]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--config {name} is given twice; keep one of them")
    for argument in arguments:
        name, _, text = argument.partition("=")
        if text.lstrip().startswith(("{", "[")):
            parse(text, f"--config {name}")


def _explain_all(mistakes: Sequence[Any], merged: Mapping[str, Any], contents: Mapping[str | Path, Any]) -> list[str]:
    """Return one line per mistake.

    For a mistake inside a list or block, pydantic also reports that the value is not the literal or text allowed in its
    place; that line is left out.
    """
    places = [_place(mistake, merged) for mistake in mistakes]
    lines = []
    for number, (mistake, place) in enumerate(zip(mistakes, places, strict=True)):
        others = places[:number] + places[number + 1 :]
        is_other_form = mistake["type"] in {"literal_error", "string_type"} and isinstance(
            mistake["input"], list | dict
        )
        if not (is_other_form and any(other[: len(place)] == place for other in others)):
            lines.append(_explain(mistake, place, contents))
    return lines


def _place(mistake: Any, merged: Any) -> Location:
    """Return the keys and positions that lead to a mistake, without the type names that pydantic inserts."""
    place: list[int | str] = []
    found = merged
    for part in mistake["loc"]:
        is_position = isinstance(found, list) and part in range(len(found))
        if is_position or (isinstance(found, Mapping) and part in found):
            place, found = [*place, part], found[part]
    if mistake["loc"][-1:] == ("[key]",):  # the message names the key
        return tuple(place[:-1])
    return (*place, mistake["loc"][-1]) if mistake["type"] == "missing" else tuple(place)


def _explain(mistake: Any, place: Location, contents: Mapping[str | Path, Any]) -> str:
    message = mistake["msg"].removeprefix("Value error, ")
    found = mistake["input"]
    if mistake["type"] == "missing":
        message = "this key is required but missing"
    elif mistake["type"] != "value_error" and not isinstance(found, dict):
        message = f"{message}; found {_shown_at(place, found)}"
    path = shown_path(".".join(map(str, place))) if place else "the whole config"
    return f"  {_file_that_says(place, contents)}{path}: {message}. (config/README.md explains every key.)"


def _shown_at(place: Location, found: Any) -> str:
    """Return a value as the error shows it, masked where a secret may have been pasted."""
    is_secret = place in {("api",), ("api", "key"), ("api", "base_url")} or place[:2] == ("release", "push")
    return "a value that is not shown, in case it is a secret" if is_secret else shown(found)


def _file_that_says(location: Location, contents: Mapping[str | Path, Any]) -> str:
    """Return the last file that contains the deepest part of the key path."""
    best, depth = "", -1
    for path, content in contents.items():
        reached = _depth(content, location)
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
