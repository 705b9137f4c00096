"""Test that a rule depends on exactly the modules that its script imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from babelgrid.runtime.code_hash import SOURCE, hash_code, modules_behind

SCRIPTS = sorted((Path(__file__).parents[1] / "workflow" / "scripts").glob("*.py"))


def imported_for_real(script):
    """Run the script's top-level imports in a new interpreter and return the loaded babelgrid modules."""
    lines = [
        line for line in script.read_text().splitlines() if line.startswith(("import babelgrid", "from babelgrid"))
    ]
    program = "\n".join(
        [*lines, "import sys", "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('babelgrid')))"]
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {Path(path) for path in result.stdout.split()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "script", [s for s in SCRIPTS if s.stem in {"finetune", "prepare_posts", "score_cells"}], ids=lambda s: s.stem
)
def test_list_contains_every_imported_module(script):
    assert imported_for_real(script) <= set(modules_behind(script))


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_no_stage_depends_on_code_of_later_stages(script):
    def packages(path):
        return {module.relative_to(SOURCE / "babelgrid").parts[0] for module in modules_behind(path)}

    used = packages(script)
    # The doctor produces no results; it uses the figures package to check the fonts.
    if not script.stem.startswith(("draw", "write_report", "write_printed", "doctor")):
        assert "figures" not in used
    if script.stem in {"finetune", "predict", "pretrain_base", "prepare_posts", "extract_posts"}:
        assert not used & {"analysis", "figures", "grid.py"}
    assert Path(SOURCE / "babelgrid/config/experiment.py") not in modules_behind(script)


def test_scripts_are_short():
    for script in SCRIPTS:
        assert len(script.read_text().splitlines()) < 60, script


def hash_of(folder, code):
    """Hash a script with this code; each call uses a new file, because hashes are cached by path."""
    script = folder / f"script{len(list(folder.iterdir()))}.py"
    script.write_text(code)
    return hash_code(script)


CODE = '''"""A module."""
LIMIT = 3


class Settings:
    """A class."""

    rate: float = 0.1
    """An attribute."""


def train(steps=LIMIT):
    """A function."""
    return sum(range(steps))
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another description of the module."""'),
        ('    """A class."""\n\n', ""),
        ('"""An attribute."""', '"""Another description of the attribute."""'),
        ('    """A function."""\n', ""),
        ("LIMIT = 3", "LIMIT = 3  # a comment"),
        ("\n\nclass", "\n\n\n\nclass"),
        ("sum(range(steps))", "sum(\n        range(steps),\n    )"),
    ],
)
def test_comments_and_formatting_do_not_change_the_hash(tmp_path, old, new):
    assert CODE.count(old) == 1
    assert hash_of(tmp_path, CODE.replace(old, new)) == hash_of(tmp_path, CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("rate: float = 0.1", "rate: float = 0.2"),
        ("steps=LIMIT", "steps=2"),
        ("sum(range", "max(range"),
        ("return sum(range(steps))", 'return "a string that is returned"'),
    ],
)
def test_changed_code_changes_the_hash(tmp_path, old, new):
    assert CODE.count(old) == 1
    assert hash_of(tmp_path, CODE.replace(old, new)) != hash_of(tmp_path, CODE)


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [("rate: float = 0.1", "rate: float = 0.2", True), ("rate: float", "rate: int", False), ("= 3", "= 4", False)],
)
def test_hash_of_settings_leaves_out_their_defaults(tmp_path, monkeypatch, old, new, is_same):
    monkeypatch.setattr("babelgrid.runtime.code_hash.CONFIG", tmp_path)
    assert (hash_of(tmp_path, CODE.replace(old, new)) == hash_of(tmp_path, CODE)) == is_same
