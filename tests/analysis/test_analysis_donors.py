import numpy as np
import pytest

from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer.donors import cluster_rows, contrast_rows, donor_rows, measure_transfer, transfer_rows
from babelgrid.mixture import Mixture
from sampled import replicates, sampled

LANGUAGES = ("en", "es", "hu")
MIXTURES = [
    Mixture("none"),
    *(Mixture(language, (language,)) for language in LANGUAGES),
    Mixture("en+es", ("en", "es")),
    Mixture("all", LANGUAGES),
    Mixture("all-hu", ("en", "es")),
    Mixture("en+hu@25", ("en",), "hu", 25),
]
SCORES = {
    **{("none", language): 0.3 for language in LANGUAGES},
    **{("en", "en"): 0.9, ("en", "es"): 0.8, ("en", "hu"): 0.5},
    **{("es", "en"): 0.6, ("es", "es"): 0.9, ("es", "hu"): 0.4},
    **{("hu", "en"): 0.45, ("hu", "es"): 0.35, ("hu", "hu"): 0.8},
    **{("en+es", "en"): 0.9, ("en+es", "es"): 0.9, ("en+es", "hu"): 0.6},
    **{("all", "en"): 0.9, ("all", "es"): 0.9, ("all", "hu"): 0.85},
    **{("all-hu", "en"): 0.9, ("all-hu", "es"): 0.9, ("all-hu", "hu"): 0.55},
    **{("en+hu@25", "en"): 0.9, ("en+hu@25", "es"): 0.8, ("en+hu@25", "hu"): 0.7},
}


def _contrasts(kind, scores=None):
    rows = contrast_rows(scores or sampled(SCORES), MIXTURES)
    return {(row["mixture"], row["test_language"]): row["effect"] for row in rows if row["kind"] == kind}


def test_gap_to_own_adapter_and_gain_over_untuned_base():
    rows = {(row["mixture"], row["test_language"]): row for row in transfer_rows(sampled(SCORES))}
    assert rows["en", "hu"]["gap"] == pytest.approx(0.5 - 0.8)
    assert rows["en", "hu"]["gain"] == pytest.approx(0.5 - 0.3)
    assert rows["hu", "hu"]["gap"] == 0
    assert (rows["hu", "hu"]["gap_low"], rows["hu", "hu"]["gap_high"]) == (0, 0)


def test_difference_interval_comes_from_its_replicates():
    rows = list(transfer_rows(sampled(SCORES, noise=0.02, resamples=4000)))
    [row] = [row for row in rows if (row["mixture"], row["test_language"]) == ("en", "hu")]
    half = 1.96 * 0.02 * np.sqrt(2)
    assert row["gap_high"] - row["gap_low"] == pytest.approx(2 * half, rel=0.1)


def test_donor_is_scored_only_in_unseen_languages():
    rows = {(row["role"], row["name"]): row for row in donor_rows(sampled(SCORES), MIXTURES)}
    assert rows["donor", "en"]["score"] == pytest.approx((0.8 + 0.5) / 2)
    assert rows["donor", "en"]["gain"] == pytest.approx((0.8 + 0.5) / 2 - 0.3)
    assert rows["donor", "en+hu@25"]["score"] == pytest.approx(0.8)
    assert rows["recipient", "hu"]["score"] == pytest.approx((0.5 + 0.4) / 2)
    assert ("donor", "all") not in rows
    assert ("donor", "none") not in rows


def test_cell_below_minimum_is_not_counted_for_donors():
    assert list(donor_rows(sampled(SCORES, min_posts=101), MIXTURES)) == []


def test_asymmetry_is_transfer_given_minus_received():
    assert _contrasts("asymmetry") == pytest.approx({("en", "es"): 0.2, ("en", "hu"): 0.05, ("es", "hu"): 0.05})


def test_second_language_is_compared_with_better_single():
    expected = {("en+es", "en"): 0, ("en+es", "es"): 0, ("en+es", "hu"): 0.1}
    effects = _contrasts("second_language")
    assert {cell: effects[cell] for cell in expected} == pytest.approx(expected)
    assert ("en+hu@25", "hu") not in effects


def test_left_out_is_gain_from_own_posts():
    assert _contrasts("left_out") == pytest.approx({("all", "hu"): 0.3})


def test_similar_languages_are_adjacent():
    scores = {("en", language): score for language, score in zip("abcd", (0.9, 0.1, 0.85, 0.15), strict=True)}
    order = [row["name"] for row in cluster_rows(sampled(scores)) if row["axis"] == "test_language"]
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset("ac"), frozenset("bd")}


def test_single_row_grid_gives_tables_without_contrasts(tmp_path):
    replicates({("en", "en"): 0.9, ("en", "hu"): 0.4}).to_parquet(tmp_path / "replicates.parquet")
    names = ("transfer", "donors", "contrasts", "clusters")
    paths = {f"{name}_path": tmp_path / f"{name}.csv" for name in names}
    measure_transfer(tmp_path / "replicates.parquet", [Mixture("en", ("en",))], min_posts=50, **paths)
    tables = {name: read_table(tmp_path / f"{name}.csv") for name in names}
    assert [len(tables[name]) for name in names] == [2, 2, 0, 3]
    assert tables["transfer"]["gain"].isna().all()
