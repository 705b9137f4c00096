import numpy as np
import pytest

from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer.doses import Curve, dose_series, fit_curve, fit_series, measure_doses
from babelgrid.mixture import Mixture
from sampled import replicates, sampled

PLANTED = Curve(floor=0.4, rise=0.45, scale=30.0)
SIZES = (0, 10, 25, 75, 150)
MIXTURES = [
    Mixture("en", ("en",)),
    Mixture("hu", ("hu",)),
    *(Mixture(f"en+hu@{size}", ("en",), "hu", size) for size in SIZES[1:]),
]


def _scores(in_language=0.8):
    by_dose = {("en" if not size else f"en+hu@{size}", "hu"): PLANTED.at(np.array(size)) for size in SIZES}
    return {**by_dose, ("hu", "hu"): in_language}


def test_planted_curve_is_recovered():
    doses = np.array(SIZES, float)
    assert fit_curve(doses, PLANTED.at(doses)) == pytest.approx(PLANTED, rel=1e-3)


@pytest.mark.parametrize(
    ("target", "size"), [(0.4, 0.0), (0.39, 0.0), (0.4 + 0.45 / 2, 30 * np.log(2)), (0.86, np.inf), (0.9, np.inf)]
)
def test_size_for_target_is_inverse_of_curve(target, size):
    assert PLANTED.reaches(target) == pytest.approx(size)


def test_series_starts_with_base_at_dose_zero():
    [series] = dose_series(MIXTURES, sampled(_scores()))
    assert (series.base, series.language) == ("en", "hu")
    assert series.mixtures == {0: "en", 10: "en+hu@10", 25: "en+hu@25", 75: "en+hu@75", 150: "en+hu@150"}


def test_doses_without_the_base_fit_no_curve():
    without = {cell: score for cell, score in _scores().items() if cell[0] != "en"}
    [series] = dose_series(MIXTURES, sampled(without))
    assert list(series.mixtures) == [10, 25, 75, 150]
    assert fit_series(series, sampled(without)) == []


def test_two_doses_fit_no_curve():
    scores = sampled(_scores())
    [series] = dose_series([MIXTURES[0], MIXTURES[2]], scores)
    assert fit_series(series, scores) == []


@pytest.mark.slow
def test_size_interval_comes_from_refitted_curves(tmp_path):
    frame = replicates(_scores(), noise=0.005, resamples=200)
    frame.to_parquet(tmp_path / "replicates.parquet")
    paths = {"doses_path": tmp_path / "doses.csv", "fits_path": tmp_path / "fits.csv"}
    paths |= {"curves_path": tmp_path / "curves.csv"}
    measure_doses(tmp_path / "replicates.parquet", MIXTURES, min_posts=50, **paths)
    [fit] = read_table(tmp_path / "fits.csv").to_dict("records")
    assert fit["size"] == pytest.approx(PLANTED.reaches(0.95 * 0.8), rel=1e-3)
    assert fit["size_low"] < fit["size"] < fit["size_high"]
    assert fit["reached"] == 1
    doses = read_table(tmp_path / "doses.csv")
    assert doses["dose"].tolist() == list(SIZES)
    assert doses["fitted"].tolist() == pytest.approx(doses["score"].tolist(), abs=1e-4)
    curve = read_table(tmp_path / "curves.csv")
    assert curve["score"].tolist() == pytest.approx(PLANTED.at(curve["dose"].to_numpy()).tolist(), abs=1e-4)
    assert (curve["low"] < curve["score"]).all()
    assert (curve["score"] < curve["high"]).all()
    assert curve["dose"].iloc[[0, -1]].tolist() == [0, 150]


def test_target_above_curve_is_never_reached(tmp_path):
    replicates(_scores(in_language=0.99), noise=0.001).to_parquet(tmp_path / "replicates.parquet")
    paths = {"doses_path": tmp_path / "doses.csv", "fits_path": tmp_path / "fits.csv"}
    paths |= {"curves_path": tmp_path / "curves.csv"}
    measure_doses(tmp_path / "replicates.parquet", MIXTURES, min_posts=50, **paths)
    [fit] = read_table(tmp_path / "fits.csv").to_dict("records")
    assert np.isinf([fit["size"], fit["size_low"], fit["size_high"]]).all()
    assert fit["reached"] == 0
