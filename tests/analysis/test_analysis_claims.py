import pandas as pd
import pytest

from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer.claims import (
    BIASED,
    DOSED,
    MULTILINGUAL,
    SUFFICES,
    TRANSFERS,
    judge_claims,
    judge_dose,
    judge_transfer,
    verdict,
)
from babelgrid.mixture import Mixture
from babelgrid.runtime.files import write_csv
from sampled import replicates, sampled

LANGUAGES = ("en", "es", "hu")
MIXTURES = [
    Mixture("none"),
    Mixture("en", ("en",)),
    Mixture("all", LANGUAGES),
    Mixture("en+hu@10", ("en",), "hu", 10),
    Mixture("en+hu@50", ("en",), "hu", 50),
]


def _scores(en_elsewhere, all_languages, dose):
    return {
        **{("none", language): 0.3 for language in LANGUAGES},
        **{("en", "en"): 0.9, ("en", "es"): en_elsewhere, ("en", "hu"): en_elsewhere},
        **{("all", language): all_languages for language in LANGUAGES},
        **{("en+hu@10", "hu"): en_elsewhere + dose, ("en+hu@50", "hu"): en_elsewhere + dose},
    }


def _judge(tmp_path, topic, stance, slope=(0.1, 0.05, 0.15), ratio="0.0001"):
    views = [replicates(topic, 0.01), replicates(stance, 0.01, view="stance")]
    pd.concat(views).to_parquet(tmp_path / "replicates.parquet")
    pooled = {"view": "topic", "table": "lab", "model": "pooled", "term": "log10_exposure", "languages": 13}
    pooled |= dict(zip(("estimate", "low", "high"), slope, strict=True))
    foreign = pooled | {"table": "llama2", "estimate": -0.1, "low": -0.2, "high": -0.05}
    write_csv(tmp_path / "regression.csv", pd.DataFrame([pooled, foreign]))
    exposure = [{"mixture": "all", "language": language, "finetune_to_pretraining": ratio} for language in LANGUAGES]
    write_csv(tmp_path / "exposure.csv", pd.DataFrame(exposure))
    judge_claims(
        replicates_path=tmp_path / "replicates.parquet",
        regression_path=tmp_path / "regression.csv",
        exposure_path=tmp_path / "exposure.csv",
        mixtures=MIXTURES,
        share_table="lab",
        min_posts=50,
        out=tmp_path / "claims.csv",
    )
    return read_table(tmp_path / "claims.csv")


def test_all_claims_supported(tmp_path):
    claims = _judge(tmp_path, _scores(0.88, 0.9, 0.1), _scores(0.5, 0.7, 0.1))
    assert set(claims["claim"]) == {TRANSFERS, MULTILINGUAL, BIASED, DOSED, SUFFICES}
    assert set(claims["verdict"]) == {"supported"}, "another base's exposure has no say"
    assert claims.loc[claims["claim"] == MULTILINGUAL, "effect"].tolist() == pytest.approx([0.2])


def test_all_claims_contradicted(tmp_path):
    claims = _judge(tmp_path, _scores(0.2, 0.25, -0.1), _scores(0.6, 0.25, -0.1), slope=(-0.1, -0.2, -0.05))
    told = claims[~claims["test"].str.contains("is accepted", na=False)]
    assert set(told["verdict"]) == {"contradicted"}


def test_missing_data_is_undecided_with_reason(tmp_path):
    claims = _judge(tmp_path, {("en", "en"): 0.9}, {("en", "en"): 0.9}, (None, None, None), ratio=None)
    assert set(claims["verdict"]) == {"undecided"}
    assert claims["why"].notna().all()


def test_large_share_of_tokens_is_undecided(tmp_path):
    claims = _judge(tmp_path, _scores(0.88, 0.9, 0.1), _scores(0.5, 0.7, 0.1), ratio="0.01")
    [why] = claims.loc[claims["claim"] == SUFFICES, "why"].unique()
    assert "0.03" in why


def test_transfer_excludes_train_language():
    [untuned, every] = judge_transfer(sampled(_scores(0.8, 0.9, 0.0)), MIXTURES[:3])
    assert untuned["effect"] == pytest.approx(0.5)
    assert every["effect"] == pytest.approx(-0.1)
    assert every["verdict"] == "contradicted"


def test_interval_containing_bound_is_undecided():
    assert verdict(-0.01, 0.01) == "undecided"
    assert verdict(-0.04, 0.01, bound=-0.05) == "supported"
    assert verdict(-0.04, -0.01) == "contradicted"


def _doses(sizes, n=100, rise=0.3):
    mixtures = [Mixture("en", ("en",)), *(Mixture(f"en+hu@{size}", ("en",), "hu", size) for size in sizes)]
    scores = {("en", "hu"): 0.4, **{(f"en+hu@{size}", "hu"): 0.4 + rise for size in sizes}}
    [row] = judge_dose(sampled(scores, noise=0.01, n=n), mixtures)
    return row


def test_dose_is_judged_if_tiny_and_ranked():
    assert _doses([10, 500])["verdict"] == "supported"
    assert _doses([500])["why"] == "no dose has 100 posts or fewer"
    assert _doses([10], n=6)["verdict"] == "undecided"


def test_effect_without_interval_is_undecided_with_reason():
    row = _doses([10], rise=float("nan"))
    assert row["verdict"] == "undecided"
    assert "no score, or no interval" in row["why"]
