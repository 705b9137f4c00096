from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer.plan_check import check_plan
from babelgrid.analysis.transfer.planner import alternatives, build_model, choose_greedily, plan_labels
from babelgrid.config.load import read_experiment
from babelgrid.errors import UserError
from babelgrid.grid import build_grid
from babelgrid.mixture import Mixture
from babelgrid.runtime.files import write_csv
from sampled import replicates, sampled

CONFIG = Path(__file__).parents[2] / "config" / "config.yaml"
SCALE = 40.0
SIZES = (0, 20, 60, 200)
MIXTURES = [
    Mixture("none"),
    Mixture("en", ("en",)),
    Mixture("es", ("es",)),
    Mixture("hu", ("hu",)),
    *(Mixture(f"en+hu@{size}", ("en",), "hu", size) for size in SIZES[1:]),
]
ALONE = {"en": 400.0, "es": 400.0, "hu": 400.0}


def _grid():
    """Return scores where English closes the whole gap in Spanish, none in Hungarian, and Hungarian only its own."""
    risen = {size: 0.3 + 0.5 * -np.expm1(-size / SCALE) for size in SIZES}
    return {
        **{("none", language): 0.3 for language in ("en", "es", "hu")},
        **{("en", "en"): 0.8, ("en", "es"): 0.8, ("en", "hu"): 0.3},
        **{("es", "en"): 0.4, ("es", "es"): 0.8, ("es", "hu"): 0.3},
        **{("hu", "en"): 0.3, ("hu", "es"): 0.3, ("hu", "hu"): 0.8},
        **{(f"en+hu@{size}", "hu"): risen[size] for size in SIZES[1:]},
    }


def _model():
    return build_model(sampled(_grid()), MIXTURES, ["en", "es", "hu"], ALONE)


def test_full_posts_give_scores_of_grid_adapter():
    assert _model().scale[0] == pytest.approx(SCALE, rel=1e-3)
    assert _model().expect({"en": 400})[:, 0] == pytest.approx([0.8, 0.8, 0.3])
    assert _model().expect({})[:, 0] == pytest.approx([0.3, 0.3, 0.3])


def test_api_scores_do_not_set_ceiling():
    grid = {**_grid(), **{(name, "ko"): 0.3 for name in ("none", "en", "hu")}}
    apart = build_model(sampled(grid), MIXTURES, ["en", "ko"], ALONE)
    grid |= {("api-0shot", language): 0.99 for language in ("en", "es", "hu", "ko")}
    beside = build_model(sampled(grid), [*MIXTURES, Mixture("api-0shot")], ["en", "ko"], ALONE)
    assert (beside.ceiling == apart.ceiling).all()


def test_second_donor_closes_part_of_remaining_gap():
    model = _model()
    own, given = model.expect({"es": 400})[0, 0], model.expect({"en": 400, "es": 400})[0, 0]
    assert own == pytest.approx(0.4)
    assert given == pytest.approx(0.8)


def test_advice_labels_donor_and_language_without_donor():
    allocation = choose_greedily(_model(), budget=200, step=10)
    assert sum(allocation.values()) == 200
    assert set(allocation) == {"en", "hu"}
    assert allocation["hu"] == pytest.approx(100, abs=20)


def test_more_posts_never_lower_expected_scores():
    model = _model()
    few, more = model.expect({"en": 50, "hu": 10}), model.expect({"en": 60, "hu": 10})
    assert (more >= few - 1e-12).all()


def test_alternatives_cost_the_same():
    assert alternatives(["es", "en", "hu"], 200) == {"only_en": {"en": 200}, "equal": {"es": 67, "en": 67, "hu": 66}}


@pytest.mark.slow
@pytest.mark.parametrize("risen", [[0.3, 0.28, 0.26, 0.25], [0.3, 0.31, 0.35, 0.6]], ids=["falls", "never levels off"])
def test_curve_without_scale_raises(risen):
    doses = {(f"en+hu@{size}" if size else "en", "hu"): score for size, score in zip(SIZES, risen, strict=True)}
    with pytest.raises(UserError, match="needs a dose-response curve that rises and levels off"):
        build_model(sampled({**_grid(), **doses}), MIXTURES, ["en", "hu"], ALONE)


@pytest.mark.slow
def test_cell_without_score_is_no_donor():
    hole = build_model(sampled({**_grid(), ("en", "es"): float("nan")}), MIXTURES, ["en", "es", "hu"], ALONE)
    without = {cell: score for cell, score in _grid().items() if cell != ("en", "es")}
    plain = build_model(sampled(without), MIXTURES, ["en", "es", "hu"], ALONE)
    assert (hole.transfer == plain.transfer).all()
    assert choose_greedily(hole, budget=100, step=10) == choose_greedily(plain, budget=100, step=10)


def test_grid_without_doses_raises():
    with pytest.raises(UserError, match="add mixtures"):
        build_model(sampled(_grid()), MIXTURES[:4], ["en", "hu"], ALONE)


def _plan(tmp_path):
    replicates(_grid(), noise=0.01).to_parquet(tmp_path / "replicates.parquet")
    exposure = [{"mixture": name, "language": name, "finetune_posts": posts} for name, posts in ALONE.items()]
    write_csv(tmp_path / "exposure.csv", pd.DataFrame(exposure))
    plan_labels(
        replicates_path=tmp_path / "replicates.parquet",
        exposure_path=tmp_path / "exposure.csv",
        mixtures=MIXTURES,
        candidates=["en", "es", "hu"],
        view="topic",
        budget=200,
        step=10,
        min_posts=50,
        experiment="lab",
        plan_path=tmp_path / "plan.csv",
        scores_path=tmp_path / "plan_scores.csv",
        overlay_path=tmp_path / "plan.yaml",
    )
    return read_table(tmp_path / "plan_scores.csv").set_index(["plan", "target"])


@pytest.mark.slow
def test_advice_is_expected_to_beat_alternatives(tmp_path):
    scores = _plan(tmp_path)
    assert scores["expected"].groupby("target").idxmax().tolist() == [("advice", "mean"), ("advice", "worst")]
    assert ((scores["low"] < scores["expected"] + 0.02) & (scores["expected"] - 0.02 < scores["high"])).all()
    assert read_table(tmp_path / "plan.csv").groupby("plan")["posts"].sum().tolist() == [200, 200, 200]


@pytest.mark.slow
def test_overlay_trains_plans_at_equal_cost(tmp_path):
    _plan(tmp_path)
    assert yaml.safe_load((tmp_path / "plan.yaml").read_text())["experiment"] == "lab_plan"
    experiment = read_experiment(CONFIG, tmp_path / "plan.yaml")
    mixtures = build_grid(experiment).mixtures
    assert list(mixtures) == ["none", "advice", "only_en", "equal"]
    taken = [mixture.posts_per_language({}, None) for mixture in mixtures.values() if mixture.is_trained]
    assert [sum(posts.values()) for posts in taken] == [200, 200, 200]
    assert experiment.plan.checks == "lab"
    assert yaml.safe_load((tmp_path / "plan.yaml").read_text())["api"] is None


@pytest.mark.slow
def test_check_compares_advice_with_alternatives(tmp_path):
    _plan(tmp_path)
    achieved = {("advice", "en"): 0.7, ("advice", "hu"): 0.6, ("only_en", "en"): 0.8, ("only_en", "hu"): 0.3}
    achieved |= {("equal", "en"): 0.6, ("equal", "hu"): 0.65}
    replicates(achieved, noise=0.01).to_parquet(tmp_path / "trained.parquet")
    paths = {"replicates_path": tmp_path / "trained.parquet", "expected_path": tmp_path / "plan_scores.csv"}
    check_plan(**paths, view="topic", min_posts=50, out=tmp_path / "check.csv")
    check = read_table(tmp_path / "check.csv").set_index(["plan", "target"])
    assert check.loc[("only_en", "worst"), "advantage"] == pytest.approx(0.3)
    assert check.loc[("equal", "mean"), "advantage"] == pytest.approx(0.025)
    assert check.loc[("advice", "mean"), ["achieved", "advantage"]].tolist() == pytest.approx([0.65, 0])


@pytest.mark.slow
def test_untrained_plan_raises(tmp_path):
    _plan(tmp_path)
    replicates({("advice", "en"): 0.7}).to_parquet(tmp_path / "trained.parquet")
    paths = {"replicates_path": tmp_path / "trained.parquet", "expected_path": tmp_path / "plan_scores.csv"}
    with pytest.raises(UserError, match="only_en"):
        check_plan(**paths, view="topic", min_posts=50, out=tmp_path / "check.csv")
