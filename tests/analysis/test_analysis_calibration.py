import numpy as np
import pandas as pd
import pytest

from babelgrid.analysis.scores.calibration import (
    brier,
    calibration_error,
    fit_temperature,
    halves,
    measure_calibration,
    scale,
)
from babelgrid.analysis.tables import read_table

VIEWS = {"topic": {"yes": ["yes"], "no": ["no"]}}


def _calibrated(posts, seed=0):
    """Return probabilities of two classes, and gold classes drawn by them."""
    generator = np.random.default_rng(seed)
    yes = generator.uniform(0.05, 0.95, posts)
    return np.column_stack([yes, 1 - yes]), (generator.random(posts) >= yes).astype(np.intp)


def test_calibration_error_of_calibrated_and_overconfident():
    probability, gold = _calibrated(100_000)
    assert calibration_error(probability, gold) < 0.01
    assert calibration_error(scale(probability, 0.3), gold) > 0.1


def test_calibration_error_of_hand_computed_case():
    probability = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    assert calibration_error(probability, np.array([0, 1, 1, 1])) == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)


def test_brier_score_ranges_from_0_to_2():
    gold = np.array([0, 1])
    assert brier(np.eye(2), gold) == 0
    assert brier(np.eye(2)[::-1], gold) == 2
    assert brier(np.full((2, 2), 0.5), gold) == pytest.approx(0.5)


@pytest.mark.parametrize("planted", [0.5, 1.0, 3.0])
def test_planted_temperature_is_recovered(planted):
    probability, gold = _calibrated(100_000)
    assert fit_temperature(scale(probability, 1 / planted), gold) == pytest.approx(planted, rel=0.05)


def test_halves_do_not_split_clusters():
    clusters = np.array([f"author{n % 7}" for n in range(70)])
    half = halves(clusters)
    assert {len(set(half[clusters == name])) for name in set(clusters)} == {1}
    assert np.bincount(half).tolist() in ([40, 30], [30, 40])


def test_scaling_calibrates_cell_and_records_held_out_half(tmp_path):
    probability, gold = _calibrated(2000)
    logp = np.log(scale(probability, 0.25))
    columns = {"id": [str(n) for n in range(2000)], "gold": np.array(["yes", "no"])[gold]}
    pd.DataFrame({**columns, "logp_yes": logp[:, 0], "logp_no": logp[:, 1]}).to_parquet(tmp_path / "soft.parquet")
    hard = {"logp_yes": np.where(gold == 0, 0.0, -np.inf), "logp_no": np.where(gold == 1, 0.0, -np.inf)}
    pd.DataFrame({**columns, **hard}).to_parquet(tmp_path / "hard.parquet")
    paths = {("en", 0, "hu"): tmp_path / "soft.parquet", ("es", 0, "hu"): tmp_path / "hard.parquet"}
    measure_calibration(paths, {}, views=VIEWS, out=tmp_path / "calibration.csv")
    [row] = read_table(tmp_path / "calibration.csv").to_dict("records")
    assert row["temperature"] == pytest.approx(4, rel=0.15)
    assert row["ece_scaled"] < 0.04
    assert row["ece"] > 0.1
    assert row["brier_scaled"] < row["brier"]
    assert "test posts" in row["scaled_on"]
