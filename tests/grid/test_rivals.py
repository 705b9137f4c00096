"""Test rows of rivals in a real grid, with small random encoders."""

import json
import re

import pandas as pd
import pytest

from babelgrid.report.other_systems import NOTHING
from babelgrid.runtime.files import read_json, read_parquet
from encoders import write_encoder

pytestmark = pytest.mark.grid

SYSTEMS = ("embedding", "encoder")
# Without translate_train.en: its posts are in the pivot, so it would equal translate_test.en.
TRANSLATED = ("translate_test.en", "translate_test.en+hu@4", "translate_train.en+hu@4")
MIXTURES = ("en", "en+hu@4")
LANGUAGES = ("en", "hu", "ko")


@pytest.fixture(scope="module")
def with_rivals(checkout, tmp_path_factory):
    """Return a copy of the checkout with finished rows of rivals."""
    copied = checkout.copy(tmp_path_factory.mktemp("with_rivals") / "copy")
    for system in SYSTEMS:
        write_encoder(copied.folder / system)
    rivals = {"embedding": {"folder": "embedding"}, "encoder": {"folder": "encoder", "epochs": 2}}
    copied.overlay(json.dumps({"rivals": rivals}))
    assert not {"finetune", "predict", "pretrain_base", "check_posts"} & set(copied.planned(overlays=["overlay.yaml"]))
    copied.overlay(json.dumps({"rivals": {**rivals, "translate": {"lab": True}}}))
    result = copied.snakemake(overlays=["overlay.yaml"])
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    jobs = re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", result.stdout + result.stderr)
    # The adapters and cells of the base are those of the grid without translations.
    assert {name: jobs.count(name) for name in ("finetune", "predict", "extract_posts", "extract_translations")} == {
        "finetune": 1,
        "predict": 3,
        "extract_posts": 0,
        "extract_translations": 3,
    }
    return copied


def table_of(with_rivals, name):
    return pd.read_csv(with_rivals.folder / f"results/tiny/tables/{name}.csv", keep_default_na=False)


@pytest.mark.parametrize("system", SYSTEMS)
def test_rival_answers_the_posts_of_the_adapter(with_rivals, system):
    predictions = with_rivals.folder / "results/tiny/predictions"
    for mixture in MIXTURES:
        for language in LANGUAGES:
            rival = read_parquet(predictions / f"{system}.{mixture}/seed0/{language}.parquet")
            own = read_parquet(predictions / f"{mixture}/seed0/{language}.parquet")
            assert rival.columns.tolist() == own.columns.tolist()
            assert rival[["id", "gold"]].equals(own[["id", "gold"]])


def test_translated_rows_read_the_pivot_and_keep_the_language_of_the_post(with_rivals):
    results = with_rivals.folder / "results/tiny"
    for row in TRANSLATED:
        for language in LANGUAGES:
            answers = read_parquet(results / f"predictions/{row}/seed0/{language}.parquet")
            own = read_parquet(results / f"predictions/en/seed0/{language}.parquet")
            assert answers[["id", "gold"]].equals(own[["id", "gold"]])
            # Posts in the pivot are their own translations.
            if row == "translate_test.en":
                assert answers.equals(own) == (language == "en")
    posts, translated = (read_parquet(results / f"posts/{place}hu.parquet") for place in ("", "translated/"))
    assert translated.drop(columns="text").equals(posts.drop(columns="text"))
    assert (translated["text"] != posts["text"]).all()
    assert "translation" not in posts
    record = read_json(results / "adapters/translate_train.en+hu@4/seed0/provenance.json")
    assert record["settings"]["pivot"] == "en"


def test_rivals_stand_in_cells_comparisons_cost_and_matrix(with_rivals):
    rows = {f"{system}.{mixture}" for system in SYSTEMS for mixture in MIXTURES} | {*TRANSLATED}
    assert set(table_of(with_rivals, "cells")["mixture"]) == {"none", *MIXTURES, *rows}
    compared = table_of(with_rivals, "comparisons").query("kind == 'rival'")
    assert set(zip(compared["mixture"], compared["against"], strict=True)) == {
        (row.partition(".")[2], row) for row in rows
    }
    cost = table_of(with_rivals, "cost").set_index("model")
    assert set(cost.index[cost["how"] == "rival"]) == rows
    assert (cost.loc[list(rows), ["posts_per_second", "train_seconds"]].astype(float) > 0).all(axis=None)
    assert cost.loc["translate_test.en", "train_seconds"] == cost.loc["en", "train_seconds"]
    is_unpriced = cost["assumptions"].str.contains("the translation itself is not counted")
    assert set(cost.index[is_unpriced]) == {*TRANSLATED}
    assert rows <= set(table_of(with_rivals, "transfer_matrix")["mixture"])
    figures = with_rivals.folder / "results/tiny/figures"
    assert "embedding.en" in (figures / "transfer_matrix_topic.csv").read_text(encoding="utf-8")
    assert "embedding.en" not in (figures / "exposure_bias_topic.csv").read_text(encoding="utf-8")
    assert "embedding.en" not in (figures / "gain_topic.csv").read_text(encoding="utf-8")


def test_report_has_a_section_about_rivals(with_rivals):
    page = (with_rivals.folder / "results/tiny/report.html").read_text(encoding="utf-8")
    assert '<h2 id="rivals-title">Other systems</h2>' in page
    # The tiny grid has too few test posts for a ranked cell.
    assert table_of(with_rivals, "rivals").empty
    assert page.count(NOTHING) == 2


def test_verdicts_about_the_base_are_unchanged(checkout, with_rivals):
    for name in ("claims", "donors", "doses", "dose_fits", "regression", "contrasts"):
        path = f"results/tiny/tables/{name}.csv"
        assert (with_rivals.folder / path).read_bytes() == (checkout.folder / path).read_bytes()
    before, after = (
        pd.read_csv(each.folder / "results/tiny/tables/cells.csv", dtype=str, keep_default_na=False)
        for each in (checkout, with_rivals)
    )
    assert after[after["mixture"].isin(before["mixture"])].reset_index(drop=True).equals(before)


def test_second_run_does_nothing_and_a_new_mixture_embeds_nothing(with_rivals):
    assert with_rivals.planned(overlays=["overlay.yaml"]) == {}
    more = with_rivals.folder / "more.yaml"
    more.write_text("mixtures: {monolingual: [en, hu]}", encoding="utf-8")
    planned = with_rivals.planned(overlays=["overlay.yaml", more])
    assert planned["train_embedding"] == planned["train_encoder"] == 1
    assert "embed_posts" not in planned
    more.write_text("rivals: {embedding: {prefix: 'query: '}}", encoding="utf-8")
    planned = with_rivals.planned(overlays=["overlay.yaml", more])
    assert planned["embed_posts"] == 5
    assert not {"finetune", "predict", "train_encoder"} & set(planned)


def test_changed_encoder_is_noticed(with_rivals):
    """The weights in a local folder are inputs; what was made from others is made again."""
    record = read_json(with_rivals.folder / "results/tiny/embedding.json")
    assert record["sha256"].keys() >= {"model.safetensors", "tokenizer.json"}
    path = with_rivals.folder / "embedding/config.json"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert with_rivals.planned(overlays=["overlay.yaml"])["prefetch_encoder"] == 1


def test_status_includes_rivals(with_rivals):
    status = with_rivals.snakemake("status", overlays=["overlay.yaml"])
    assert "embedding.en+hu@4 seed0" in status.stdout
    assert "encoder.en seed0" in status.stdout
    assert "translate_train.en+hu@4 seed0" in status.stdout
    assert "missing (.)" in status.stdout
    assert "0 missing (.)" in status.stdout
