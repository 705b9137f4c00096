import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer.claims import judge_dose, judge_multilingual, judge_transfer
from babelgrid.analysis.transfer.donors import contrast_rows, donor_rows
from babelgrid.analysis.transfer.merged_rows import measure_merged
from babelgrid.analysis.transfer.planner import build_model
from babelgrid.mixture import Merge, Mixture, Swap, trained_twins
from babelgrid.runtime.files import write_csv
from sampled import replicates, sampled

LANGUAGES = ("en", "es", "hu", "ko")
ALONE = [Mixture(language, (language,)) for language in LANGUAGES]
PAIRS = [("en", "es"), ("en", "hu"), ("en", "ko"), ("es", "hu")]
TRAINED = [
    Mixture("none"),
    *ALONE,
    *(Mixture("+".join(pair), pair) for pair in PAIRS),
    Mixture("all", LANGUAGES),
    *(Mixture(f"en+hu@{size}", ("en",), "hu", size) for size in (5, 20, 60)),
    Mixture("few", ("en",), allocation=(("en", 20),)),
]


def _merged(name, parents, weights=(0.5, 0.5), swap=None):
    known = {mixture.name: mixture for mixture in TRAINED}
    languages = tuple(dict.fromkeys(language for parent in parents for language in known[parent].all_languages))
    merge = Merge(tuple(known[parent] for parent in parents), weights, swap)
    return Mixture(name, languages, merge=merge)


AVERAGES = [_merged("~".join(pair), pair) for pair in PAIRS]
SWAPPED = _merged("1hu~en~1hu", ("hu", "en"), swap=Swap(1, 1, 0))
# These have no trained row of the same languages.
WITHOUT_TWIN = [_merged("~".join(parents), parents) for parents in (("es", "ko"), ("en", "en+hu@5"), ("en", "few"))]
MERGED = [*AVERAGES, SWAPPED, *WITHOUT_TWIN]
GAINS = dict(
    zip(PAIRS, ([0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.3, 0.4], [0.3, 0.2, 0.1, 0.45], [0.2, 0.1, 0.5, 0.3]), strict=True)
)


def _scores(shift=-0.05):
    """Return scores of trained pairs, and of averages that are lower by a constant; swaps are lower by 0.1."""
    found = {}
    for pair, scores in GAINS.items():
        for language, score in zip(LANGUAGES, scores, strict=True):
            found["+".join(pair), language] = score
            found["~".join(pair), language] = score + shift
            if pair == ("en", "hu"):
                found[SWAPPED.name, language] = score - 0.1
    return found | {(own.name, language): 0.9 for own in WITHOUT_TWIN for language in LANGUAGES}


def _measure(folder, scores, mixtures=(*TRAINED, *MERGED), min_posts=50, **settings):
    frame = replicates(scores, **settings)
    frame.to_parquet(folder / "replicates.parquet")
    cells = frame[["view", "mixture", "test_language", "n"]].assign(seed=0)
    for metric in ("accuracy", "macro_f1", "weighted_f1", "mcc"):
        cells = cells.assign(**{metric: frame["score"] ** 2, f"{metric}_low": 0.0, f"{metric}_high": 1.0})
        cells = cells.assign(**{f"{baseline}_{metric}": 0.1 for baseline in ("majority", "ngram")})
    write_csv(folder / "cells.csv", cells)
    paths = {"out": folder / "merged.csv", "cells_out": folder / "merged_cells.csv"}
    inputs = folder / "replicates.parquet", folder / "cells.csv"
    measure_merged(*inputs, mixtures, metric="macro_f1", min_posts=min_posts, **paths)
    return read_table(paths["out"]), read_table(paths["cells_out"])


def test_twin_is_trained_on_the_same_languages_in_full():
    twins = {own.name: "+".join(pair) for own, pair in zip(AVERAGES, PAIRS, strict=True)}
    assert trained_twins([*TRAINED, *MERGED]) == twins | {SWAPPED.name: "en+hu"}
    assert trained_twins(TRAINED) == {}


def test_constant_loss_keeps_the_ranks(tmp_path):
    table, cells = _measure(tmp_path, _scores())
    average = table.set_index(["kind", "metric"]).loc[("average", "macro_f1")]
    assert (average["rows"], average["cells"]) == (4, 16)
    for name in ("spearman", "spearman_low", "spearman_high", "spearman_within", "within_low", "within_high"):
        assert average[name] == pytest.approx(1)
    for name in ("difference", "low", "high"):
        assert average[name] == pytest.approx(-0.05)
    swap = table.set_index(["kind", "metric"]).loc[("swap", "macro_f1")]
    assert (swap["rows"], swap["cells"], swap["difference"]) == (1, 4, pytest.approx(-0.1))
    assert pd.isna(swap["spearman_within"])  # one row cannot be ranked among others
    assert len(cells) == 20
    row = cells.set_index(["merged", "test_language"]).loc[("en~hu", "ko")]
    assert (row["trained"], row["kind"]) == ("en+hu", "average")
    assert (row["score_merged"], row["score_trained"]) == pytest.approx((0.35, 0.4))


@pytest.mark.slow
def test_rank_correlations_are_those_of_scipy(tmp_path):
    generator = np.random.default_rng(0)
    scores = {cell: score + 0.1 * generator.random() for cell, score in _scores().items()}
    average = _measure(tmp_path, scores)[0].set_index(["kind", "metric"]).loc[("average", "macro_f1")]
    merged, trained = (
        np.array([[scores[joint.join(pair), language] for pair in PAIRS] for language in LANGUAGES])
        for joint in ("~", "+")
    )
    assert average["spearman"] == pytest.approx(spearmanr(merged.ravel(), trained.ravel()).statistic)
    within = np.mean([spearmanr(*pair).statistic for pair in zip(merged, trained, strict=True)])
    assert average["spearman_within"] == pytest.approx(within, abs=1e-6)
    assert average["spearman_within"] != pytest.approx(average["spearman"], abs=1e-3)


@pytest.mark.slow
def test_difference_interval_comes_from_its_replicates(tmp_path):
    """The mean of 16 cells, each a difference of two independent scores of noise 0.02."""
    table, _ = _measure(tmp_path, _scores(), noise=0.02, resamples=4000)
    average = table.set_index(["kind", "metric"]).loc[("average", "macro_f1")]
    half = 1.96 * 0.02 * np.sqrt(2 / 16)
    assert average["high"] - average["low"] == pytest.approx(2 * half, rel=0.1)


def test_other_metrics_have_no_interval(tmp_path):
    """They are computed from cells.csv, which has no joint replicates."""
    table, _ = _measure(tmp_path, _scores())
    other = table.set_index(["kind", "metric"]).loc[("average", "mcc")]
    pairs = [(_scores()["~".join(pair), name], _scores()["+".join(pair), name]) for pair in PAIRS for name in LANGUAGES]
    assert other["difference"] == pytest.approx(np.mean([one**2 - two**2 for one, two in pairs]), abs=1e-6)
    assert other["spearman"] == pytest.approx(1)
    assert other[["low", "high", "spearman_low", "within_high"]].isna().all()


def test_scores_that_do_not_vary_have_no_rank_correlation(tmp_path):
    constant = dict.fromkeys(_scores(), 0.4)
    table, _ = _measure(tmp_path, constant, noise=0.02)
    average = table.set_index(["kind", "metric"]).loc[("average", "macro_f1")]
    names = [f"{kind}{end}" for kind in ("spearman", "within") for end in ("_low", "_high")]
    assert average[["spearman", "spearman_within", *names]].isna().all()
    assert average["difference"] == 0
    assert average["low"] < 0 < average["high"]


def test_only_ranked_cells_count(tmp_path):
    table, cells = _measure(tmp_path, _scores(), min_posts=1000)
    assert table.empty
    assert cells.empty


@pytest.mark.slow
@pytest.mark.parametrize(
    "judge",
    [
        lambda scores, mixtures: list(judge_transfer(scores, mixtures)),
        lambda scores, mixtures: list(judge_multilingual(scores, mixtures)),
        lambda scores, mixtures: list(judge_dose(scores, mixtures)),
        lambda scores, mixtures: list(donor_rows(scores, mixtures)),
        lambda scores, mixtures: [row for row in contrast_rows(scores, mixtures) if row["kind"] != "asymmetry"],
        lambda scores, mixtures: build_model(scores, mixtures, LANGUAGES, {"en": 400.0}).ceiling.tolist(),
    ],
)
def test_merged_rows_change_no_result_of_trained_rows(judge):
    generator = np.random.default_rng(1)
    risen = {"none": 0.3, "en": 0.3, "en+hu@5": 0.4, "en+hu@20": 0.55, "en+hu@60": 0.6}
    scores = {(own.name, name): risen.get(own.name, generator.random()) for own in TRAINED for name in LANGUAGES}
    merged = {(own.name, name): 0.99 for own in MERGED for name in LANGUAGES}
    apart, beside = judge(sampled(scores), TRAINED), judge(sampled(scores | merged), [*TRAINED, *MERGED])
    assert apart
    assert str(apart) == str(beside)
