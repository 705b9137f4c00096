import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from babelgrid.analysis.exposure.trend import fit_band, spearman

values = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=3, max_size=13)


@pytest.mark.slow
@given(values)
def test_spearman_matches_scipy(pairs):
    x, y = np.array(pairs, dtype=float).T
    if len(set(x)) > 1 and len(set(y)) > 1:
        assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)
    else:
        assert np.isnan(spearman(x, y))


def test_band_contains_line_and_widens_at_the_ends():
    generator = np.random.default_rng(0)
    x = np.linspace(-2, 2, 13)
    band = fit_band(x, 0.6 + 0.1 * x + generator.normal(0, 0.05, 13), np.random.default_rng(1))
    assert (band.low < band.line).all()
    assert (band.line < band.high).all()
    widths = band.high - band.low
    assert widths[0] > widths[25] < widths[-1]
    assert np.allclose(band.line, np.polyval(np.polyfit(x, _scores(x), 1), band.x))


def _scores(x):
    return 0.6 + 0.1 * x + np.random.default_rng(0).normal(0, 0.05, 13)


@pytest.mark.parametrize("x", [[1.0, 2, 3, 4], [2.0] * 6])
def test_no_line_for_few_languages_or_equal_exposure(x):
    assert fit_band(np.array(x), np.arange(len(x)) / 10, np.random.default_rng(0)) is None


def test_resamples_of_equal_exposure_leave_band_finite():
    band = fit_band(np.array([0.0, 0, 0, 0, 1]), np.array([0.1, 0.2, 0.3, 0.2, 0.5]), np.random.default_rng(0))
    assert pd.DataFrame({"low": band.low, "high": band.high}).notna().all(axis=None)
