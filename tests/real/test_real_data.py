"""Test the grid on real posts, with the lab's small base instead of a large one, up to every table and figure.

The scores are poor, as expected of 1.3 million parameters that have never seen a tweet; they are only compared with
their baselines for completeness.
"""

import pandas as pd
import pytest

from babelgrid.runtime.files import read_json, read_parquet
from checkout import Checkout

pytestmark = pytest.mark.real

LANGUAGES = 13
# Every row, cell, table and figure of the experiment, with a smaller base and less training.
SMALL = """
base: {lab: {tokens: 300000}}
finetune: {epochs: 1}
mixtures: {budget: equal, posts: 91}
score: {bootstrap: 100}
"""


def run_shipped(shared_file, folder, config, *targets):
    """Run a shipped experiment with the embedded base on the data that its config expects; return its results."""
    data = shared_file("data")
    checkout = Checkout(folder, f"config/{config}.yaml", "config/embedded.yaml").fill()
    (folder / "data").symlink_to(data)
    result = checkout.snakemake(*targets, overlays=[checkout.overlay(SMALL)])
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
    return folder / "results" / config


def check_tables(results, mixtures, views):
    """Check that every cell has scores and baselines."""
    cells = pd.read_csv(results / "tables/cells.csv", keep_default_na=False, na_values=[""])
    assert len(cells) == mixtures * LANGUAGES * len(views)
    scored = cells[cells["n"] > 0]
    assert scored["macro_f1"].between(0, 1).all()
    assert scored["majority_macro_f1"].notna().all()
    exposure = pd.read_csv(results / "tables/exposure.csv", keep_default_na=False, na_values=[""])
    assert exposure["language"].nunique() == LANGUAGES
    for view in views:
        shown = cells[cells["view"] == view].pivot_table(
            index="mixture", columns="test_language", values="macro_f1", sort=False
        )
        print(f"\nmacro-F1, {view}:\n{shown.round(2).to_string()}")


def test_study_tweets_run_with_the_embedded_base(shared_file, tmp_path):
    results = run_shipped(shared_file, tmp_path, "paper")
    check_tables(results, mixtures=5, views=["topic", "stance"])
    for figure in ("transfer_matrix", "exposure_bias", "gain"):
        for view in ("topic", "stance"):
            for kind in ("pdf", "svg", "png", "csv"):
                assert (results / "figures" / f"{figure}_{view}.{kind}").stat().st_size > 500
    report = read_json(results / "posts/report.json")
    assert report["rows"]["read"] == 4470
    posts = read_parquet(results / "posts/all.parquet")
    assert set(posts["language"]) == {"en", "es", "ar", "fr", "it", "pt", "tr", "de", "hi", "hu", "id", "pl", "ko"}
    assert set(posts["label"]) == {"pro", "anti", "neutral", "unrelated"}


def test_sib200_runs_with_the_embedded_base(shared_file, tmp_path):
    results = run_shipped(
        shared_file, tmp_path, "sib200", *(f"results/sib200/tables/{name}.csv" for name in ("cells", "exposure"))
    )
    check_tables(results, mixtures=7, views=["label"])
    posts = read_parquet(results / "posts/all.parquet")
    sides = posts.groupby("source_id")["split"].nunique()
    assert (sides == 1).all()
