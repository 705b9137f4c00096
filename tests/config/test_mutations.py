"""Test that any mutation of a shipped config is accepted or rejected with a message, never with a traceback."""

import copy
import math
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from babelgrid.config.load import load_experiment
from babelgrid.errors import UserError
from babelgrid.grid import build_grid

pytestmark = pytest.mark.grid

CONFIG = Path(__file__).parents[2] / "config"
OVERLAYS = {"embedded.yaml", "lab_uniform.yaml"}
ODD_VALUES = [
    *(None, True, False, -1, 0, 1, 3, 10**12, 0.5, -0.5, math.nan, math.inf),
    *("", " ", "en", "en+en", "all", "none", "../..", "/", "{text}", "{", "a\x00b", "😀", "\u202eolleh", "é" * 3000),
    *(
        [],
        {},
        [None],
        [[]],
        ["en", "en"],
        ["xx"],
        {"": ""},
        {"en": None},
        {"a": {"b": {"c": []}}},
        {1: 2},
        [0, -1, 0.5],
    ),
]


def _merged(name):
    def read(file):
        return yaml.safe_load((CONFIG / file).read_text(encoding="utf-8"))

    if name not in OVERLAYS:
        return read(name)
    return read("config.yaml") | read(name)


def _places(content, path=()):
    """Yield the path of everything inside a config."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _mutate(content, data):
    """Delete, replace, rename or add one value at a random place."""
    path = data.draw(st.sampled_from(list(_places(content))))
    holder = content
    for key in path[:-1]:
        holder = holder[key]
    value = copy.deepcopy(data.draw(st.sampled_from(ODD_VALUES)))
    kind = data.draw(st.sampled_from(["delete", "replace", "rename", "add"]))
    if kind == "delete":
        del holder[path[-1]]
    elif kind == "rename" and isinstance(holder, dict):
        holder[data.draw(st.text(max_size=8))] = holder.pop(path[-1])
    elif kind == "add" and isinstance(holder, dict):
        holder[data.draw(st.text(max_size=8))] = value
    else:
        holder[path[-1]] = value


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIG.glob("*.yaml")))
@settings(max_examples=200, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_mutated_config_is_accepted_or_gives_a_user_error(name, data):
    content = _merged(name)
    for _ in range(data.draw(st.integers(1, 3))):
        if content:
            _mutate(content, data)
    with suppress(UserError):
        assert build_grid(load_experiment(content, [CONFIG / name])).mixtures
