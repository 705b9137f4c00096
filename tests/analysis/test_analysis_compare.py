import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from babelgrid.analysis.bootstrap.compare import (
    MODEL,
    Pair,
    adjust,
    bootstrap_p,
    compare_cells,
    holm,
    mcnemar,
    pairs_of,
)
from babelgrid.analysis.bootstrap.paired import ABSENT, PairedPredictions
from babelgrid.analysis.bootstrap.replicates import read_replicates, replicates_of, resample_cells
from babelgrid.analysis.tables import read_table
from babelgrid.config.analysis import Score

LABELS = ["pro", "anti"]
VIEWS = {"label": {label: [label] for label in LABELS}}
GOLD = LABELS * 30


def _answers(right):
    """Return answers to all posts that are correct at the given positions."""
    is_pro = (np.array(GOLD) == "pro") == right
    logp = np.log(np.column_stack([np.where(is_pro, 0.9, 0.1), np.where(is_pro, 0.1, 0.9)]))
    table = pd.DataFrame({"id": [f"en-{number}" for number in range(len(GOLD))], "gold": GOLD})
    return table.assign(logp_pro=logp[:, 0], logp_anti=logp[:, 1])


@pytest.fixture
def grid(tmp_path):
    """Return the untuned base and two mixtures with two seeds, tested on English; `en` is right more often."""
    generator = np.random.default_rng(0)
    predictions, baselines = {}, {}
    rates = {("none", 0): 0.5, ("en", 0): 0.9, ("en", 1): 0.9, ("es", 0): 0.6, ("es", 1): 0.6}
    for (mixture, seed), rate in rates.items():
        predictions[mixture, seed, "en"] = tmp_path / f"{mixture}{seed}.parquet"
        _answers(generator.random(len(GOLD)) < rate).to_parquet(predictions[mixture, seed, "en"])
        baselines[mixture, seed] = tmp_path / f"baselines-{mixture}{seed}.parquet"
        majority = _answers(np.array(GOLD) == "pro").assign(baseline="majority", language="en")
        majority.to_parquet(baselines[mixture, seed])
    return predictions, baselines


def _compare(grid, folder, baselines=True):
    settings = {"views": VIEWS, "score": Score(bootstrap=200, metric="accuracy"), "seed": 1}
    compare_cells(grid[0], grid[1] if baselines else {}, {}, **settings, out=folder / "comparisons.csv")
    resample_cells(grid[0], {}, **settings, out=folder / "replicates.parquet")
    return read_table(folder / "comparisons.csv"), read_replicates(folder / "replicates.parquet")


@pytest.mark.slow
def test_each_pair_is_compared_once(grid, tmp_path):
    table, _ = _compare(grid, tmp_path)
    assert table[["mixture", "against", "kind"]].to_numpy().tolist() == [
        ["en", "none", "none"],
        ["es", "none", "none"],
        ["none", "majority", "baseline"],
        ["en", "majority", "baseline"],
        ["es", "majority", "baseline"],
        ["en", "es", "mixture"],
    ]
    assert (table["n"] == len(GOLD)).all()


@pytest.mark.slow
def test_differences_and_intervals_match_shared_replicates(grid, tmp_path):
    table, frame = _compare(grid, tmp_path)
    row = table.query("kind == 'mixture'").iloc[0]
    scores = frame.loc["label"].xs("en", level="test_language")
    assert row["difference"] == pytest.approx(scores.loc["en", "score"] - scores.loc["es", "score"], abs=1e-6)
    replicates = replicates_of(scores)
    expected = np.quantile(replicates.loc["en"] - replicates.loc["es"], [0.025, 0.975])
    assert [row["low"], row["high"]] == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_planted_difference_is_significant_after_holm(grid, tmp_path):
    table, _ = _compare(grid, tmp_path)
    row = table.query("mixture == 'en' and against == 'none'").iloc[0]
    assert row["low"] > 0
    assert row["p_bootstrap"] < 0.05
    assert row["p_mcnemar"] <= row["p_holm"] < 0.01


@pytest.mark.slow
def test_imported_predictions_are_compared_without_baselines(grid, tmp_path):
    table, _ = _compare(grid, tmp_path, baselines=False)
    assert table["kind"].tolist() == ["none", "none", "mixture"]


def test_single_mixture_gives_empty_table(grid, tmp_path):
    predictions = {cell: path for cell, path in grid[0].items() if cell[0] == "en"}
    table, _ = _compare((predictions, {}), tmp_path)
    assert table.empty
    assert table.columns[-1] == "p_holm"


ROWS = [("a", MODEL, 0), ("b", MODEL, 0)]
PAIR = [Pair("a", ("b", MODEL), "mixture")]


@given(st.lists(st.tuples(st.sampled_from([0, 1, ABSENT]), st.sampled_from([0, 1, ABSENT])), min_size=1, max_size=30))
def test_mcnemar_with_one_seed_equals_exact_sign_test(answers):
    predicted = np.array(answers).T
    posts = predicted.shape[1]
    panel = PairedPredictions(2, np.arange(posts).astype(str), np.zeros(posts, int), predicted)
    p, n = mcnemar(panel, ROWS, PAIR)
    first, second = answers.count((0, 1)), answers.count((1, 0))
    expected = binomtest(first, first + second).pvalue if first + second else 1
    assert p[0] == pytest.approx(expected)
    assert n[0] == sum(ABSENT not in pair for pair in answers)


def test_mcnemar_of_several_seeds_is_twice_their_mean():
    predicted = np.array([[0] * 6, [0] * 6, [1] * 6, [0] * 3 + [1] * 3])
    panel = PairedPredictions(2, np.arange(6).astype(str), np.zeros(6, int), predicted)
    rows = [("a", MODEL, 0), ("a", MODEL, 1), ("b", MODEL, 0), ("b", MODEL, 1)]
    p, _ = mcnemar(panel, rows, PAIR)
    assert p[0] == pytest.approx(2 * (2 / 2**6 + 2 / 2**3) / 2)


@pytest.mark.slow
def test_holm_steps_and_families():
    assert holm(pd.Series([0.01, np.nan, 0.04, 0.03, 0.005])).tolist() == pytest.approx(
        [0.03, np.nan, 0.06, 0.06, 0.02], nan_ok=True
    )
    table = pd.DataFrame(
        {"view": "v", "kind": ["none", "none", "mixture"], "mixture": "en", "p_mcnemar": [0.01, 0.02, 0.03]}
    )
    assert adjust(table)["p_holm"].tolist() == pytest.approx([0.02, 0.02, 0.03])


@pytest.mark.slow
def test_merged_rows_and_rivals_are_families_of_their_own():
    rows = ["en", "es", "en~es", "encoder.en", "encoder.es"]
    table = pd.DataFrame({"view": "v", "kind": "none", "mixture": rows, "p_mcnemar": [0.01, 0.02, 0.03, 0.04, 0.05]})
    assert adjust(table)["p_holm"].tolist() == pytest.approx([0.02, 0.02, 0.03, 0.08, 0.08])


def test_bootstrap_p_counts_observed_sample():
    assert bootstrap_p(np.array([[1.0] * 99, [0.0] * 99, [np.nan] * 99])).tolist() == pytest.approx(
        [0.02, 1, np.nan], nan_ok=True
    )


def test_untuned_base_is_only_a_rival_in_pairs():
    rivals = [("none", MODEL), ("en", MODEL)]
    assert pairs_of(rivals) == [Pair("en", ("none", MODEL), "none")]


@pytest.mark.slow
def test_merged_rows_do_not_change_the_comparisons_of_trained_rows():
    trained = [(name, kind) for name in ("en", "es") for kind in (MODEL, "majority")]
    rivals = [("none", MODEL), *trained, *(("en~es", kind) for kind in (MODEL, "majority"))]
    found = [(pair.mixture, pair.against, pair.kind) for pair in pairs_of(rivals)]
    assert found == [
        *((name, "none", "none") for name in ("en", "es", "en~es")),
        *((name, "majority", "baseline") for name in ("en", "es", "en~es")),
        ("en", "es", "mixture"),
    ]
    table = pd.DataFrame({"view": "label", "kind": "none", "mixture": ["en", "es", "en~es"], "p_mcnemar": 0.02})
    assert adjust(table)["p_holm"].tolist() == [0.04, 0.04, 0.02]
