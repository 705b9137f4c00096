"""Test which mixtures a new file of posts or a changed posts setting retrains: only those whose rows change."""

import csv
import re

import pytest

pytestmark = pytest.mark.grid

OVERLAY = """
posts: {lab: null, files: ["data/*.csv"], columns: {part: part}}
languages: {train: [en, hu], test: [en, hu]}
"""
ROWS = {"en": "results/tiny/adapters/en/seed0", "hu": "results/tiny/adapters/en+hu@4/seed0"}
TARGETS = [f"{folder}/adapter_model.safetensors" for folder in ROWS.values()] + [
    "results/tiny/predictions/en/seed0/en.parquet",
    "results/tiny/baselines/en/seed0.parquet",
]


def rules_run(result):
    """Return the rules of the jobs that a run has finished."""
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-5000:]
    return re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", output)


@pytest.fixture(scope="module")
def own(checkout, tmp_path_factory):
    """Return a copy whose posts come from files, one per language, with all targets built."""
    copied = checkout.copy(tmp_path_factory.mktemp("own") / "copy")
    with (copied.folder / "results/tiny/lab/posts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for language in ("en", "hu", "ko"):
        write_posts(copied, language, [row for row in rows if row["language"] == language])
    (copied.folder / "data/ko.csv").rename(copied.folder / "ko.csv")
    copied.overlay(OVERLAY)
    copied.git("add", "-A")
    copied.git("commit", "-qm", "posts of our own")
    rules_run(run(copied))
    return copied


def write_posts(checkout, language, rows):
    path = checkout.folder / f"data/{language}.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def run(checkout):
    return checkout.snakemake(*TARGETS, overlays=[checkout.folder / "overlay.yaml"])


def test_file_of_another_language_trains_nothing(own):
    (own.folder / "ko.csv").rename(own.folder / "data/ko.csv")
    own.git("add", "-A")
    own.git("commit", "-qm", "more posts")
    assert sorted(rules_run(run(own))) == ["count_labels", "prepare_posts"]
    assert own.planned(*TARGETS, overlays=[own.folder / "overlay.yaml"]) == {}


@pytest.mark.parametrize(
    "setting",
    ["languages: {aliases: {engl: en}}", "labels: {anti: {aliases: [contra]}}", "posts: {on_error: drop}"],
)
def test_setting_that_affects_no_row_trains_nothing(own, setting):
    extra = own.folder / "extra.yaml"
    extra.write_text(setting, encoding="utf-8")
    result = own.snakemake(*TARGETS, overlays=[own.folder / "overlay.yaml", extra])
    assert not {"extract_posts", "finetune", "predict", "fit_baselines"} & set(rules_run(result))
    assert own.planned(*TARGETS, overlays=[own.folder / "overlay.yaml", extra]) == {}


def test_changed_posts_retrain_only_their_mixtures(own):
    path = own.folder / "data/hu.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",train,", ",train,Egy új szó. ", 1), encoding="utf-8")
    rules = rules_run(run(own))
    # The adapter of en is not retrained, but its predictions are rerun, because one job makes those of en and hu.
    assert rules.count("finetune") == 1
    assert rules.count("extract_posts") == 1
