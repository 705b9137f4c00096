"""Test the tiny grid from labelled posts to figures with real Snakemake on the real stack."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from babelgrid.runtime.files import PROVENANCE_KEY, read_json, read_parquet
from checkout import SECRETS

pytestmark = pytest.mark.slow

MIXTURES = ["none", "en", "en+hu@4"]
LANGUAGES = ["en", "hu", "ko"]
MATRICES = ("transfer_matrix", "clustered_matrix", "gap_matrix", "gain_matrix")
FIGURES = (*MATRICES, "exposure_bias", "gain", "confusion", "doses", "calibration")


def test_every_cell_has_its_predictions_with_provenance(checkout):
    for mixture in MIXTURES:
        for language in LANGUAGES:
            path = checkout.folder / "results/tiny" / "predictions" / mixture / "seed0" / f"{language}.parquet"
            table = read_parquet(path)
            columns = ["id", "gold", "predicted", "logp_pro", "logp_anti", "logp_neutral", "logp_unrelated"]
            assert list(table.columns) == columns
            assert len(table) >= 20
            record = json.loads(pq.read_schema(path).metadata[PROVENANCE_KEY])
            assert {"settings", "versions", "inputs"} == set(record)


def test_cells_have_every_view_with_baselines_and_intervals(checkout):
    cells = pd.read_csv(
        checkout.folder / "results/tiny" / "tables" / "cells.csv", keep_default_na=False, na_values=[""]
    )
    assert len(cells) == len(MIXTURES) * len(LANGUAGES) * 2
    assert list(cells["mixture"].unique()) == MIXTURES
    scored = cells[cells["n"] > 0]
    assert ((scored["macro_f1_low"] <= scored["macro_f1"]) & (scored["macro_f1"] <= scored["macro_f1_high"])).all()
    assert scored["majority_macro_f1"].notna().all()
    assert scored.loc[scored["mixture"] == "none", "ngram_macro_f1"].isna().all()
    assert scored.loc[scored["mixture"] != "none", "ngram_macro_f1"].notna().all()


def test_matrix_is_mixtures_by_test_languages(checkout):
    matrix = pd.read_csv(checkout.folder / "results/tiny" / "tables" / "transfer_matrix.csv")
    assert list(matrix.columns) == ["view", "mixture", *LANGUAGES]
    assert matrix.groupby("view", sort=False)["mixture"].apply(list).to_dict() == {
        "topic": MIXTURES,
        "stance": MIXTURES,
    }


def test_exposure_is_the_exact_count_of_the_lab(checkout):
    exposure = pd.read_csv(checkout.folder / "results/tiny" / "tables" / "exposure.csv").set_index(
        ["mixture", "language"]
    )
    counted = read_json(checkout.folder / "results/tiny" / "base" / "exposure.json")
    share = exposure.loc[("en", "hu"), "share_lab"]
    assert share == pytest.approx(100 * counted["tokens"]["hu"] / counted["total"], rel=1e-4)
    assert exposure.loc[("en+hu@4", "hu"), "finetune_posts"] == 4
    assert exposure.loc[("en", "hu"), "finetune_posts"] == 0


def test_every_figure_has_three_formats_and_its_data(checkout):
    names = {path.name for path in (checkout.folder / "results/tiny" / "figures").iterdir() if path.is_file()}
    expected = {
        f"{figure}_{view}.{kind}"
        for figure in FIGURES
        for view in ("topic", "stance")
        for kind in ("pdf", "svg", "png", "csv")
    }
    for figure in ("learning_curves", "cost"):
        expected |= {f"{figure}.{kind}" for kind in ("pdf", "svg", "png", "csv")}
    assert names == expected


def test_report_page_and_printed_matrix_exist(checkout):
    results = checkout.folder / "results/tiny"
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "3 mixtures of languages were tested on 3 languages" in page
    assert "Rows" in page
    assert (results / "tables/transfer_matrix_topic.tex").read_text(encoding="utf-8").count(r"\\") >= 4
    assert (results / "tables/transfer_matrix_stance.md").read_text(encoding="utf-8").count("| en+hu@4") == 1


def test_no_post_is_in_logs_or_reports(checkout):
    posts = read_parquet(checkout.folder / "results/tiny" / "posts" / "all.parquet")["text"].tolist()
    written = [
        *(checkout.folder / "results/tiny" / "logs").rglob("*.log"),
        *(checkout.folder / "results/tiny" / "posts").glob("report.*"),
    ]
    written += [
        *(checkout.folder / "results/tiny" / "tables").glob("*.csv"),
        checkout.folder / "results/tiny" / "posts" / "dropped.csv",
    ]
    assert len(written) > 20
    for path in written:
        content = path.read_text(encoding="utf-8")
        assert not any(post in content for post in posts), path


def test_checkpoints_are_deleted_after_training(checkout):
    left = (checkout.folder / "results/tiny/checkpoints").rglob("*")
    assert not [path for path in left if path.is_file()]


@pytest.mark.grid
def test_jobs_per_cell_write_the_same_files(checkout, tmp_path):
    copied = checkout.copy(tmp_path / "copy")
    overlay = copied.overlay("predict: {per_cell: true}")
    before = {path: path.read_bytes() for path in (copied.folder / "results/tiny" / "predictions").rglob("*.parquet")}
    result = copied.snakemake("predictions", "--forcerun", "predict", overlays=[overlay])
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert (copied.folder / "results/tiny/logs/predict/en/seed0/hu.log").is_file()
    for path, content in before.items():
        assert path.read_bytes() == content, path


@pytest.mark.parametrize(
    ("overlay", "target", "words"),
    [
        ("finetune: {epoch: 3}", "all", "did you mean 'epochs'"),
        pytest.param("posts: {lab: null, files: [nowhere.csv]}", "posts", "nowhere.csv", marks=pytest.mark.grid),
        pytest.param("languages: {test: [en, sv]}", "posts", "'sv'", marks=pytest.mark.grid),
        pytest.param(
            "mixtures: {budget: equal, posts: 400}", "posts", "asks for 400 train posts", marks=pytest.mark.grid
        ),
        ('labels: {pro: {answer: "n"}, anti: {answer: "n"}}', "prefetch", "same answer"),
    ],
)
def test_mistake_shows_message_without_traceback(checkout, tmp_path, overlay, target, words):
    copied = checkout.copy(tmp_path / "copy")
    result = copied.snakemake(target, overlays=[copied.overlay(overlay)])
    output = result.stdout + result.stderr
    assert result.returncode != 0
    assert words in output
    assert "Traceback" not in output


@pytest.mark.grid
def test_snakemake_report_contains_all_figures(checkout, tmp_path):
    result = checkout.snakemake("--report", str(tmp_path / "report.html"))
    assert result.returncode == 0, result.stderr[-3000:]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for name in (*(f"{figure}_topic.svg" for figure in FIGURES), "learning_curves.svg", "cost.svg"):
        assert name in page
    assert "constructed world" in page


@pytest.mark.grid
def test_keys_in_environment_are_in_no_output_file(checkout):
    shown = checkout.snakemake("doctor").stdout
    made = [path for folder in ("results", ".snakemake") for path in (checkout.folder / folder).rglob("*")]
    files = [path for path in made if path.is_file() and not path.is_symlink()]
    assert len(files) > 100
    for secret in SECRETS.values():
        assert secret not in shown
        assert [path for path in files if secret.encode() in path.read_bytes()] == []
