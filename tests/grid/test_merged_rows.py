"""Test merged rows with real Snakemake: made from their parents, scored, tabulated, rerun with their parents only."""

import pandas as pd
import pytest

from babelgrid.runtime.files import read_json, read_parquet
from checkout import Checkout

pytestmark = pytest.mark.grid

OVERLAY = """
mixtures:
  monolingual: [en, hu, es]
  pairs: [{base: [en, hu], languages: [hu, es]}]
  doses: []
  merged: {pairs: all, swaps: [{outer: hu, inner: en, bottom: 1, top: 0}]}
score: {min_posts: 5}
"""
PAIRS = {"en~hu": "en+hu", "en~es": "en+es", "hu~es": "hu+es"}
SWAP = "1hu~en"
MERGED = [*PAIRS, SWAP]
LANGUAGES = ["en", "hu", "ko"]


@pytest.fixture(scope="module")
def merged(checkout, tmp_path_factory):
    """Return a copy of the tiny grid with merged rows, finished in one run."""
    copied = checkout.copy(tmp_path_factory.mktemp("merged") / "copy")
    path = copied.overlay(OVERLAY)
    finished = Checkout(copied.folder, *copied.configs, str(path))
    planned = finished.planned()
    assert planned["merge_adapters"] == 4
    assert planned["finetune"] == 5  # all but English, which the tiny grid has
    result = finished.snakemake()
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
    return finished


def table(checkout, name):
    return pd.read_csv(checkout.folder / f"results/tiny/tables/{name}.csv", keep_default_na=False, na_values=[""])


def test_merged_rows_are_adapters_without_training(merged):
    for name in MERGED:
        folder = merged.folder / f"results/tiny/adapters/{name}/seed0"
        assert {path.name for path in folder.iterdir()} == {
            "adapter_model.safetensors",
            "adapter_config.json",
            "provenance.json",
        }
        record = read_json(folder / "provenance.json")
        assert record["settings"]["merge"]["weights"] == [0.5, 0.5]
        assert len(record["inputs"]) == 3
    usage = merged.folder / "results/tiny/usage/finetune"
    assert not {path.name for path in usage.iterdir()} & set(MERGED)
    assert set(table(merged, "learning_curves")["mixture"]).isdisjoint(MERGED)


def test_merged_rows_are_scored_like_any_row(merged):
    for name in MERGED:
        for language in LANGUAGES:
            assert len(read_parquet(merged.folder / f"results/tiny/predictions/{name}/seed0/{language}.parquet")) >= 20
    assert table(merged, "transfer_matrix")["mixture"].unique().tolist()[-4:] == MERGED
    costs = table(merged, "cost").set_index("model")["train_seconds"]
    assert costs[MERGED].isna().all()
    assert costs[list(PAIRS.values())].notna().all()
    page = (merged.folder / "results/tiny/tables/transfer_matrix_topic.tex").read_text(encoding="utf-8")
    assert r"en\textasciitilde " in page


def test_merged_pairs_stand_beside_trained_pairs(merged):
    cells = table(merged, "merged_cells")
    assert cells.groupby("merged")["trained"].unique().map(list).to_dict() == {
        **{name: [twin] for name, twin in PAIRS.items()},
        SWAP: ["en+hu"],
    }
    matrix = table(merged, "transfer_matrix").set_index(["view", "mixture"])
    for cell in cells.to_dict("records"):
        own, trained = (matrix.loc[(cell["view"], cell[row]), cell["test_language"]] for row in ("merged", "trained"))
        assert cell["difference"] == pytest.approx(own - trained, abs=2e-6)
        assert cell["low"] <= cell["high"]
    summary = table(merged, "merged").set_index(["view", "metric", "kind"])
    average = summary.loc[("stance", "macro_f1", "average")]
    assert (average["rows"], average["cells"]) == (3, 9)
    own = cells[(cells["view"] == "stance") & (cells["kind"] == "average")]
    assert average["difference"] == pytest.approx(own["difference"].mean(), abs=2e-6)
    assert average["low"] <= average["difference"] <= average["high"]
    assert -1 <= average["spearman"] <= 1
    page = (merged.folder / "results/tiny/report.html").read_text(encoding="utf-8")
    assert "Rows merged without training" in page


def test_no_verdict_is_about_merged_rows(merged):
    assert table(merged, "donors")["name"].isin(MERGED).sum() == 0
    assert table(merged, "regression")["term"].astype(str).str.contains("~").sum() == 0
    compared = table(merged, "comparisons")
    assert set(compared[compared["mixture"].isin(MERGED)]["kind"]) == {"none", "baseline"}
    assert compared["against"].isin(MERGED).sum() == 0


def test_merged_row_depends_on_its_parents_only(merged):
    assert merged.planned() == {}
    [changed] = _adapters("es")
    assert merged.planned(*_adapters("es", "en~hu", SWAP), "--forcerun", changed) == {"finetune": 1}
    assert merged.planned(*_adapters("en~es", "hu~es"), "--forcerun", changed) == {"finetune": 1, "merge_adapters": 2}


def _adapters(*names):
    return [f"results/tiny/adapters/{name}/seed0/adapter_model.safetensors" for name in names]


def test_new_merged_row_trains_nothing(merged):
    path = merged.folder / "more.yaml"
    path.write_text("mixtures: {merged: {averages: [{of: [en, hu], weights: [3, 1]}]}}", encoding="utf-8")
    planned = merged.planned(overlays=[path])
    assert (planned["merge_adapters"], planned["predict"]) == (1, 1)
    assert "finetune" not in planned


def test_edit_of_merging_merges_again_and_trains_nothing(merged):
    path = merged.folder / "src/babelgrid/model/merging.py"
    before = path.read_bytes()
    path.write_bytes(before + b"EDITED = True\n")
    try:
        planned = merged.planned()
    finally:
        path.write_bytes(before)
    assert (planned["merge_adapters"], planned["predict"]) == (4, 4)
    assert "finetune" not in planned
