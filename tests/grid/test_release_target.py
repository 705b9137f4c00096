"""Test the targets `release` and `push` with real Snakemake; run the code on the card with only its folder."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from babelgrid.runtime.files import read_json, read_parquet
from hub import standing_in

pytestmark = pytest.mark.grid

RELEASE = """
release:
  adapters: [en]
  licence: mit
  push: {owner: team}
"""
ROW = "en/seed0"
TAIL = """
import json, sys
print(json.dumps([label_of(post) for post in json.load(sys.stdin)]))
"""


@pytest.fixture(scope="module")
def released(checkout, tmp_path_factory):
    copied = checkout.copy(tmp_path_factory.mktemp("released") / "copy")
    result = copied.snakemake("release", overlays=[copied.overlay(RELEASE)])
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return copied


def test_code_on_card_gives_the_grids_labels(released, tmp_path):
    results = released.folder / "results/tiny"
    away = tmp_path / "downloaded"
    shutil.copytree(results / "release" / ROW, away)
    test = read_parquet(results / "posts/hu.parquet").query("split == 'test'")
    predicted = read_parquet(results / "predictions" / ROW / "hu.parquet").set_index("id")["predicted"]
    adapter, merged = re.findall(r"```python\n(.*?)```", (away / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for lines in (adapter, adapter + merged):
        ended = subprocess.run(
            [sys.executable, "-I", "-c", lines + TAIL],
            cwd=away,
            input=json.dumps(test["text"].tolist()),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout.splitlines()[-1]) == predicted.loc[test["id"]].tolist()


def test_release_contains_no_post_key_or_path(released):
    posts = read_parquet(released.folder / "results/tiny/posts/all.parquet")["text"]
    planted = [*posts, str(released.folder), "planted-"]
    files = [path for path in (released.folder / "results/tiny/release").rglob("*") if path.is_file()]
    assert len(files) >= 8
    for path in files:
        content = path.read_bytes()
        assert [text for text in planted if text.encode() in content] == [], path


def test_release_log_contains_no_post(released):
    log = (released.folder / f"results/tiny/logs/release_adapter/{ROW}.log").read_text(encoding="utf-8")
    assert "adapter: 100.00 %" in log
    posts = read_parquet(released.folder / "results/tiny/posts/all.parquet")["text"]
    assert [text for text in posts if text in log] == []


def test_second_release_only_adds_new_adapters(released):
    overlay = released.folder / "overlay.yaml"
    assert released.planned("release", overlays=[overlay]) == {}
    more = released.folder / "more.yaml"
    more.write_text(RELEASE.replace("[en]", "[en, en+hu@4]"), encoding="utf-8")
    assert released.planned("release", overlays=[more])["release_adapter"] == 1


def test_push_uploads_the_listed_files(released, monkeypatch):
    overlay = released.folder / "overlay.yaml"
    with standing_in() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        listed = released.snakemake("push_list", overlays=[overlay])
        assert listed.returncode == 0, listed.stderr[-3000:]
        assert "team/tiny-en-seed0 (private)" in listed.stdout
        assert hub.repositories == {}
        pushed = released.snakemake("push", overlays=[overlay])
        assert pushed.returncode == 0, pushed.stderr[-3000:]
    files = hub.files["team/tiny-en-seed0"]
    assert all(name in listed.stdout for name in files)
    assert hub.repositories == {"team/tiny-en-seed0": True}
    assert read_json(released.folder / f"results/tiny/pushed/{ROW}.json")["sha256"].keys() == files.keys()


@pytest.mark.parametrize(
    ("config", "target", "words"),
    [
        ("", "release", "release: nothing to release. Add a block `release`"),
        ("release: {adapters: [enn]}", "release", "release.adapters: there is no mixture 'enn' (did you mean 'en'?)"),
        ("release: {adapters: [none]}", "release", "release.adapters: 'none' has no adapter"),
        (
            "release: {adapters: [en+hu@4, en+hu@4/seed0], push: {owner: x}}",
            "push_list",
            "'en+hu@4/seed0' is given twice",
        ),
        ("release: {adapters: [en]}", "push", "release.push: set the owner of the repositories on the Hub"),
    ],
)
def test_mistake_is_reported_before_any_job(checkout, config, target, words):
    result = checkout.snakemake("-n", target, overlays=[checkout.overlay(config or "{}")])
    assert result.returncode != 0
    assert words in result.stdout + result.stderr
