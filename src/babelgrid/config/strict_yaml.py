"""Read config files strictly: nothing is silently lost or misread.

YAML readers keep the last of two equal keys, read `010` as 8, `1:30` as 90 and `2020-01-01` as a date (YAML 1.1), and
expand a few lines of anchors to billions of values. All of these are errors here.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from babelgrid.config.shown import shown
from babelgrid.errors import UserError

MAX_VALUES = 100_000
"""Maximum number of values in a file, counting every use of an anchor."""
TAG = "tag:yaml.org,2002:"
DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")


def read_config_file(path: str | Path) -> dict[str, Any]:
    """Return the block of keys in a YAML (or JSON) file.

    Raises a one-line `UserError` with file and line if the file is not a block of keys or a value is ambiguous.
    """
    content = parse(_read_text(path), str(path))
    if content is None:
        raise UserError(f"{path}: the file is empty; expected a block of keys such as 'experiment: name'")
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a block of keys such as 'experiment: name'; found {shown(content)}")
    return content


def parse(text: str, source: str) -> Any:
    """Return the content of a YAML or JSON text.

    source: name of the text for the `UserError` that is raised if it is neither or is ambiguous.
    """
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node, source)
        return loader.construct_document(node)
    except RecursionError:
        raise UserError(f"{source}: lists or blocks are nested too deeply") from None
    except yaml.YAMLError as error:
        return _parse_json(text, _where_it_breaks(error, source))
    except ValueError as error:  # a number or date that Python cannot represent
        raise UserError(f"{source}: cannot be read as YAML ({error})") from None


def _read_text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None


def _parse_json(text: str, otherwise: str) -> Any:
    """Parse JSON that is not valid YAML, e.g. with tabs: Snakemake accepts it, so it must be checked too."""
    try:
        return json.loads(text, object_pairs_hook=_block_of_pairs)
    except (json.JSONDecodeError, RecursionError):
        raise UserError(otherwise) from None


def _block_of_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    block: dict[str, Any] = {}
    for key, value in pairs:
        if key in block:
            raise UserError(f"the key {shown(key)} is given twice in a block of the JSON file; keep one of them")
        block[key] = value
    return block


def _where_it_breaks(error: yaml.YAMLError, source: str) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"{source}, line {mark.line + 1}, column {mark.column + 1}" if mark else source
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "broken text"
    context = getattr(error, "context", None)
    return f"{place}: cannot be read as YAML: {problem}{f' ({context})' if context else ''}"


def _check(root: yaml.Node, source: str) -> None:
    """Check every block and value of a file once, and limit the expansion of anchors."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node, path: str) -> int:
        if id(node) in open_nodes:
            raise UserError(f"{_at(node, source)}: an anchor contains itself")
        if id(node) not in sizes:
            open_nodes.add(id(node))
            sizes[id(node)] = 1 + sum(size(child, below) for child, below in _children(node, path, source))
            open_nodes.remove(id(node))
        if sizes[id(node)] > MAX_VALUES:
            raise UserError(
                f"{_at(node, source)}: the file expands to more than {MAX_VALUES:,} values; write it without anchors"
            )
        return sizes[id(node)]

    size(root, "")


def _children(node: yaml.Node, path: str, source: str) -> Iterator[tuple[yaml.Node, str]]:
    """Yield the items of a block or list, checked, each with its key path."""
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            name = _key(key, source)
            below = f"{path}.{name}" if path else name
            if name in lines:
                raise UserError(
                    f"{_at(key, source)}: {shown_path(below)} is given twice (first on line {lines[name]}); keep one"
                )
            lines[name] = key.start_mark.line + 1
            yield value, below
    elif isinstance(node, yaml.SequenceNode):
        yield from ((item, f"{path}.{number}") for number, item in enumerate(node.value))
    elif isinstance(node, yaml.ScalarNode):
        _check_value(node, path, source)


def shown_path(path: str) -> str:
    """Return a key path as errors show it: on one line, shortened, and masked if it looks like a secret."""
    is_plain = re.fullmatch(r"[\w. +@-]{1,100}", path) and not shown(path).startswith("a value")
    return path if is_plain else shown(path)


def _key(node: yaml.Node, source: str) -> str:
    """Return a key's text; reject booleans, null, dates, bytes, blocks and lists as keys."""
    if not isinstance(node, yaml.ScalarNode):
        raise UserError(f"{_at(node, source)}: a key must be a single word, not a list or a block")
    kind = node.tag.removeprefix(TAG)
    if kind in {"bool", "null", "timestamp", "binary"}:
        read_as = {"bool": "as a boolean", "null": "as null", "timestamp": "as a date", "binary": "as bytes"}[kind]
        raise UserError(f"{_at(node, source)}: YAML reads the key {shown(node.value)} {read_as}; put it in quotes")
    _check_value(node, node.value, source)
    return str(node.value)


def _check_value(node: yaml.ScalarNode, path: str, source: str) -> None:
    """Reject dates, and whole numbers that are not written in plain decimal digits."""
    kind = node.tag.removeprefix(TAG)
    if kind == "timestamp":
        raise UserError(
            f"{_at(node, source)}: {shown_path(path)}: YAML reads {shown(node.value)} as a date; put it in quotes"
        )
    if kind == "int" and not DECIMAL.fullmatch(node.value):
        raise UserError(
            f"{_at(node, source)}: {shown_path(path)}: YAML reads {shown(node.value)} as the number "
            f"{_number(node)}; {_plain(node)}"
        )
    if kind == "float" and re.search(r"[_:]", node.value):
        raise UserError(
            f"{_at(node, source)}: {shown_path(path)}: found the number {shown(node.value)}; write it without _ and : "
            "(or put it in quotes if it is text)"
        )


def _number(node: yaml.ScalarNode) -> str:
    try:
        return str(yaml.SafeLoader("").construct_yaml_int(node))
    except ValueError:
        return "(invalid)"


def _plain(node: yaml.ScalarNode) -> str:
    """Return advice on what to write instead of `010`, `1_000`, `0x10` or `1:30`."""
    digits = re.sub(r"[_+]", "", str(node.value))
    if re.fullmatch(r"-?[0-9]+", digits):
        return f"write {int(digits)} (or put it in quotes if it is text)"
    return "write it in plain decimal digits (or put it in quotes if it is text)"


def _at(node: yaml.Node, source: str) -> str:
    return f"{source}, line {node.start_mark.line + 1}"
