"""Test the target `classify` with real Snakemake: an archive with bad rows, also after a kill; no row is lost."""

from pathlib import Path

import pandas as pd
import pytest

from babelgrid.runtime.files import read_json, read_parquet
from kills import kill_job

pytestmark = pytest.mark.grid

ARCHIVE = """
classify:
  lab: {rows: 4000, shards: 2, bad: 0.02}
  adapter: en
  rows_per_job: 1500
  rows_per_group: 100
"""
PARTS = ["shard0.00000", "shard0.00001", "shard1.00000", "shard1.00001"]


@pytest.fixture(scope="module")
def classified(checkout, tmp_path_factory):
    copied = checkout.copy(tmp_path_factory.mktemp("classified") / "copy")
    result = copied.snakemake("classify", overlays=[copied.overlay(ARCHIVE)])
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return copied


def test_every_archive_row_is_classified_or_rejected(classified):
    results = classified.folder / "results/tiny"
    made = [read_json(results / f"archive/shard{number}.json") for number in (0, 1)]
    files = pd.read_csv(results / "classified/files.csv").set_index("file").loc["all"]
    assert files["read"] == 4000
    assert files["rejected"] == sum(shard["bad"] for shard in made) > 40
    tables = [read_parquet(results / f"classified/posts/{part}.parquet") for part in PARTS]
    together = pd.concat(tables)
    assert [len(table) for table in tables] == [
        read_json(results / f"classified/counts/{part}.json")["classified"] for part in PARTS
    ]
    assert len(together) == files["classified"] == together["id"].nunique()
    languages = pd.read_csv(results / "classified/languages.csv")
    assert len(languages) == 13
    assert languages["posts"].sum() == files["classified"]


def test_second_run_does_nothing(classified):
    assert classified.planned("classify", overlays=[classified.folder / "overlay.yaml"]) == {}


def test_killed_job_resumes_to_the_same_bytes(classified, tmp_path):
    killed = classified.copy(tmp_path / "killed")
    results = killed.folder / "results/tiny"
    target = results / "classified/posts/shard1.00000.parquet"
    whole, log = target.read_bytes(), results / "logs/classify_posts/shard1.00000.log"
    for path in (target, log):
        path.unlink()
    kept, overlay = results / "checkpoints/.classify_posts/shard1.00000", killed.folder / "overlay.yaml"
    name = str(target.relative_to(killed.folder))
    assert kill_job(killed, overlay, name, log, lambda: len(list(kept.glob("*/*.parquet"))) >= 3) != 0
    assert not target.exists()
    again = killed.snakemake(name, overlays=[overlay])
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
    assert "resuming after" in log.read_text(encoding="utf-8")
    assert target.read_bytes() == whole


def test_no_post_is_in_logs_or_classified_files(classified):
    import gzip

    results = classified.folder / "results/tiny"
    with gzip.open(results / "archive/shard0.csv.gz") as stream:
        rows = [line.split(b",", 2)[2].strip(b'"\n') for line in stream.read().splitlines()[1:300]]
    written = [*(results / "logs").rglob("*.log"), *(results / "classified").rglob("*.*")]
    assert len(written) > 20
    for path in filter(Path.is_file, written):
        content = path.read_bytes()
        assert not any(row in content for row in rows if len(row) > 10), path


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        ("{}", "nothing to classify"),
        ("classify: {input: [nowhere/*.csv], adapter: en}", "classify.input: no file matches 'nowhere/*.csv'"),
        ("classify: {input: [config/config.yaml, config/*.cvs], adapter: en}", "no file matches 'config/*.cvs'"),
        (
            "{classify: {input: [config/config.yaml], adapter: api-0shot}, api: {model: m, budget: 1}}",
            "classify.adapter: 'api-0shot' is an API",
        ),
        ("classify: {lab: {}, adapter: eng}", "did you mean 'en'"),
        ("classify: {lab: {}, adapter: en/seed7}", "Allowed: en/seed0"),
        ("classify: {lab: {}, adapter: en, keep: [predicted]}", "'predicted' is already an output column"),
    ],
)
def test_mistake_in_classify_is_one_error(checkout, tmp_path, overlay, words):
    path = tmp_path / "overlay.yaml"
    path.write_text(overlay, encoding="utf-8")
    result = checkout.snakemake("-n", "classify", overlays=[path])
    assert result.returncode != 0
    assert words in result.stdout + result.stderr
