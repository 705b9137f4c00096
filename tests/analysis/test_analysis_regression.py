import numpy as np
import pandas as pd
import pytest

from babelgrid.analysis.exposure.regression import (
    design_frame,
    design_matrix,
    fit_clustered,
    independent_columns,
    regress_exposure,
    regression_rows,
    spearman_rows,
)
from babelgrid.analysis.exposure.trend import rank_correlations
from babelgrid.analysis.tables import read_table
from babelgrid.runtime.files import write_csv
from sampled import replicates, sampled

LANGUAGES = ["en", "es", "de", "fr", "hi", "hu", "id"]
SHARES = pd.Series([50, 5, 4, 3, 0.02, 0.1, 0.3], index=LANGUAGES)
SLOPES = {"none": 0.02, "en": 0.1}


def _outcomes(noise=0.0, posts=100_000, seed=0):
    generator = np.random.default_rng(seed)
    rows = []
    for mixture, slope in SLOPES.items():
        for language in LANGUAGES:
            shift = noise * generator.standard_normal()
            for gold, effect in {"pro": 0.0, "anti": -0.1}.items():
                probability = 0.6 + slope * np.log10(SHARES[language]) + effect + shift
                seen = 0.1 * (mixture == language)
                right = round(posts * (probability + seen))
                rows.append(
                    {"mixture": mixture, "test_language": language, "gold": gold, "posts": posts, "right": right}
                )
    return pd.DataFrame(rows)


def _exposure():
    rows = [
        {"mixture": mixture, "language": language, "seen": mixture == language, "finetune_text_tokens": 0.0}
        for mixture in SLOPES
        for language in [*LANGUAGES, "ko"]
    ]
    return pd.DataFrame(rows).assign(share_llama2=lambda frame: frame["language"].map(SHARES))


def _frame(**planted):
    return design_frame(_outcomes(**planted), _exposure(), SHARES, fertility={})


@pytest.mark.slow
def test_planted_slopes_and_effects_are_recovered():
    rows = {(row["model"], row["term"]): row for row in regression_rows(_frame())}
    assert rows["by_mixture", "log10_exposure[none]"]["estimate"] == pytest.approx(0.02, abs=1e-4)
    assert rows["by_mixture", "log10_exposure[en]"]["estimate"] == pytest.approx(0.1, abs=1e-4)
    assert rows["by_mixture", "seen"]["estimate"] == pytest.approx(0.1, abs=1e-4)
    assert rows["by_mixture", "gold[anti]"]["estimate"] == pytest.approx(-0.1, abs=1e-4)
    assert 0.02 < rows["pooled", "log10_exposure"]["estimate"] < 0.1
    assert rows["pooled", "log10_exposure"]["languages"] == len(LANGUAGES)


def test_counts_match_regression_on_single_posts():
    import statsmodels.api as sm

    frame = _frame(noise=0.05, posts=20)
    design = design_matrix(frame, is_pooled=True)
    counted = fit_clustered(frame, design)
    kept = design[independent_columns(design)]
    posts = frame.index.repeat(20)
    right = np.concatenate([np.arange(20) < round(20 * share) for share in frame["right"]]).astype(float)
    clusters = frame.loc[posts, "test_language"].factorize()[0]
    single = sm.OLS(right, kept.loc[posts].to_numpy()).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    assert counted.estimates.to_numpy() == pytest.approx(single.params, abs=1e-9)
    varies = single.bse > 1e-6  # the planted effect of the gold class is the same in all languages
    width = (counted.high - counted.low).to_numpy()[varies] / (2 * single.bse[varies])
    assert varies.sum() == 4
    assert np.ptp(width) < 1e-6


def test_constant_term_has_no_estimate():
    frame = _frame().query("mixture == 'none'")
    rows = {(row["model"], row["term"]): row for row in regression_rows(frame)}
    assert rows["pooled", "seen"]["estimate"] is None
    assert rows["pooled", "log10_exposure"]["estimate"] == pytest.approx(0.02, abs=1e-4)


def test_outlier_language_moves_slope_most():
    outcomes = _outcomes()
    outcomes.loc[outcomes["test_language"] == "hi", "right"] = outcomes["posts"]
    [row] = [
        row
        for row in regression_rows(design_frame(outcomes, _exposure(), SHARES, {}))
        if (row["model"], row["term"]) == ("pooled", "log10_exposure")
    ]
    assert row["loo_language"] == "hi"
    assert row["loo_low"] < row["estimate"] < row["loo_high"]


def test_few_languages_give_no_fit():
    assert list(regression_rows(_frame().query("test_language in ['en', 'es', 'de', 'fr']"))) == []


def test_rank_correlation_matches_scipy():
    from scipy.stats import spearmanr

    x, y = np.random.default_rng(1).integers(0, 5, (2, 20, 9)).astype(float)
    expected = [spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)]
    assert rank_correlations(x, y) == pytest.approx(expected)
    assert np.isnan(rank_correlations(np.ones((1, 4)), y[:1, :4])).all()


def test_rank_correlation_of_perfect_order_and_noise():
    perfect = {("en", language): 0.5 + 0.1 * np.log10(SHARES[language]) for language in LANGUAGES}
    [row] = spearman_rows(sampled(perfect), ["en"], SHARES, seed=1)
    assert (row["estimate"], row["high"], row["loo_low"]) == pytest.approx((1, 1, 1))
    [noisy] = spearman_rows(sampled(dict.fromkeys(perfect, 0.5), noise=0.1), ["en"], SHARES, seed=1)
    assert noisy["low"] < 0 < noisy["high"]


@pytest.mark.slow
def test_unknown_shares_are_excluded_and_named(tmp_path):
    predictions = {}
    scores = {}
    for mixture in SLOPES:
        for language in [*LANGUAGES, "ko"]:
            gold = ["yes", "no"] * 10
            right = 10 + LANGUAGES[::-1].index(language) if language in LANGUAGES else 3
            said = [label if n < right else {"yes": "no", "no": "yes"}[label] for n, label in enumerate(gold)]
            logp = {f"logp_{label}": [0.0 if own == label else -5.0 for own in said] for label in ("yes", "no")}
            path = tmp_path / f"{mixture}-{language}.parquet"
            pd.DataFrame({"id": [f"{language}{n}" for n in range(20)], "gold": gold, **logp}).to_parquet(path)
            predictions[mixture, 0, language] = path
            scores[mixture, language] = right / 20
    write_csv(tmp_path / "exposure.csv", _exposure())
    replicates(scores, noise=0.01).to_parquet(tmp_path / "replicates.parquet")
    regress_exposure(
        predictions,
        exposure_path=tmp_path / "exposure.csv",
        posts_report=None,
        replicates_path=tmp_path / "replicates.parquet",
        views={"topic": {"yes": ["yes"], "no": ["no"]}},
        min_posts=10,
        seed=1,
        out=tmp_path / "regression.csv",
    )
    table = read_table(tmp_path / "regression.csv")
    assert set(table["unknown"]) == {"ko"}
    assert set(table["languages"]) == {7}
    assert set(table["model"]) == {"pooled", "by_mixture", "spearman"}
