"""Fit the trend of a score over languages, with a band for the uncertainty due to few languages."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, rankdata

from babelgrid.types import Floats

MIN_LANGUAGES = 5
"""Minimum number of languages for a trend or a regression."""
_RESAMPLES = 1000


@dataclass(frozen=True)
class Band:
    """A least-squares line of score on log10 exposure and its 95% band at the points `x`."""

    x: Floats
    line: Floats
    low: Floats
    high: Floats


def spearman(exposure: Floats, score: Floats) -> float:
    """Return Spearman's rank correlation; NaN for fewer than three languages or without variation."""
    return float(rank_correlations(exposure[None], score[None])[0]) if len(score) >= 3 else float("nan")


def rank_correlations(x: Floats, y: Floats) -> Floats:
    """Return Spearman's rank correlation of each row of x and y; NaN if x or y does not vary in that row."""
    correlation: Floats = np.full(len(x), np.nan)
    varies = (np.ptp(x, axis=1) > 0) & (np.ptp(y, axis=1) > 0)
    ranks = (rankdata(values[varies], axis=1) for values in (x, y))
    correlation[varies] = pearsonr(*ranks, axis=1).statistic
    return correlation


def fit_band(log_exposure: Floats, score: Floats, generator: np.random.Generator) -> Band | None:
    """Fit a line and bootstrap its 95% band over languages (pairs bootstrap; Efron and Tibshirani 1993, section 9.5).

    Returns None for fewer than `MIN_LANGUAGES` languages, or if all languages have the same exposure. Resamples in
    which all languages have the same exposure determine no line and are left out.
    """
    if len(score) < MIN_LANGUAGES or np.ptp(log_exposure) == 0:
        return None
    x = np.linspace(log_exposure.min(), log_exposure.max(), 50)
    drawn = generator.integers(len(score), size=(_RESAMPLES, len(score)))
    lines = _fit_lines(log_exposure[drawn], score[drawn], x)
    low, high = np.nanquantile(lines, [0.025, 0.975], axis=0)
    return Band(x, _fit_lines(log_exposure[None], score[None], x)[0], low, high)


def _fit_lines(xs: Floats, ys: Floats, at: Floats) -> NDArray[np.float64]:
    """Return least-squares lines, one for each row of xs and ys, at the points `at`; NaN if x does not vary."""
    x_mean, y_mean = xs.mean(axis=1, keepdims=True), ys.mean(axis=1, keepdims=True)
    spread = ((xs - x_mean) ** 2).sum(axis=1, keepdims=True)
    products = ((xs - x_mean) * (ys - y_mean)).sum(axis=1, keepdims=True)
    varies = np.ptp(xs, axis=1, keepdims=True) > 0
    slope = np.divide(products, spread, out=np.full_like(products, np.nan), where=varies)
    lines: NDArray[np.float64] = y_mean + slope * (at - x_mean)
    return lines
