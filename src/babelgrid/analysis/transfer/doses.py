"""Measure dose-response: how posts of one more language improve scores in it, and how many posts are enough."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from babelgrid.analysis.bootstrap.statistics import SampledScores, estimate, read_sampled_scores
from babelgrid.mixture import Mixture
from babelgrid.runtime.files import write_csv
from babelgrid.types import Floats, Row

ENOUGH = 0.95
"""Share of the in-language score that counts as sufficient."""
_MIN_DOSES = 3
"""Minimum number of doses for a fit, including dose 0: a curve has three parameters."""

DOSES = ("view", "base", "language", "dose", "mixture", "n", "score", "low", "high", "fitted")
FITS = (
    *("view", "base", "language", "doses", "floor", "rise", "scale", "scale_low", "scale_high"),
    *("in_language", "target", "size", "size_low", "size_high", "largest_dose", "reached"),
)
CURVES = ("view", "base", "language", "dose", "score", "low", "high")
_POINTS = 40
"""Number of points on a curve from 0 to the smallest dose, and again from the smallest to the largest dose."""


class Series(NamedTuple):
    """Mixtures that differ only in the dose of one language."""

    base: str
    language: str
    mixtures: dict[int, str]
    """Dose (posts) -> mixture, smallest first; dose 0 is the base mixture."""


class Curve(NamedTuple):
    """A saturating curve: score(dose) = floor + rise * (1 - exp(-dose / scale))."""

    floor: float
    rise: float
    scale: float
    """Posts after which 63% of the rise is reached."""

    def at(self, doses: Floats) -> Floats:
        """Return the score at each dose."""
        risen: Floats = self.floor + self.rise * share_of_rise(doses, self.scale)
        return risen

    def reaches(self, target: float) -> float:
        """Return the dose that reaches the target: 0 if the floor reaches it, infinity if the curve never does."""
        if self.floor >= target:
            return 0.0
        if self.floor + self.rise <= target:
            return float("inf")
        return float(-self.scale * np.log1p(-(target - self.floor) / self.rise))


def measure_doses(
    replicates_path: str | Path,
    mixtures: Sequence[Mixture],
    *,
    min_posts: int,
    doses_path: str | Path,
    fits_path: str | Path,
    curves_path: str | Path,
) -> None:
    """Write doses.csv (one row per dose), dose_fits.csv (per curve) and dose_curves.csv (per point on a curve).

    doses.csv: view, base, language, dose (posts), mixture, n, score with its interval, fitted (the curve's value).
    dose_fits.csv: the parameters of `Curve`, fitted to the observed scores. in_language: score of the adapter trained
    only on the language. target: 95% of it. size: number of posts at which the curve reaches the target, with the 95%
    percentile interval of the curves refitted to every replicate (infinite: never). largest_dose: a size beyond it is
    extrapolated. reached: share of replicates that reach the target within the largest dose.
    dose_curves.csv: the curve's score at a dose, with the 95% interval of the curves refitted to every replicate.
    Columns stay empty for series with fewer than three doses, or without the adapter trained only on the language.
    """
    doses: list[Row] = []
    fits: list[Row] = []
    points: list[Row] = []
    for view, scores in read_sampled_scores(replicates_path, min_posts).items():
        for series in dose_series(mixtures, scores):
            described = {"view": view, "base": series.base, "language": series.language}
            curves = fit_series(series, scores)
            doses.extend({**described, **row} for row in _dose_rows(series, scores, curves))
            fits.append({**described, **_fit_row(series, scores, curves)})
            points.extend({**described, **row} for row in _curve_rows(series, curves))
    write_csv(doses_path, pd.DataFrame(doses, columns=list(DOSES)))
    write_csv(fits_path, pd.DataFrame(fits, columns=list(FITS)))
    write_csv(curves_path, pd.DataFrame(points, columns=list(CURVES)))


def dose_series(mixtures: Sequence[Mixture], scores: SampledScores) -> list[Series]:
    """Return the dose series of the mixtures that were scored in the dose's language."""
    bases = {own.languages: own.name for own in mixtures if own.is_trained and not own.dose and not own.allocation}
    found: dict[tuple[str, str], dict[int, str]] = {}
    for mixture in mixtures:
        if mixture.dose_language and (mixture.name, mixture.dose_language) in scores:
            base = bases.get(mixture.languages, mixture.name.rsplit("+", 1)[0])
            doses = found.setdefault((base, mixture.dose_language), {})
            if (base, mixture.dose_language) in scores:
                doses[0] = base
            doses[mixture.dose] = mixture.name
    return [Series(base, language, dict(sorted(doses.items()))) for (base, language), doses in found.items()]


def fit_series(series: Series, scores: SampledScores) -> list[Curve]:
    """Fit one curve to the observed scores and one to each replicate.

    Returns an empty list if there are fewer than three doses, no dose 0, or missing scores or replicates.
    """
    if len(series.mixtures) < _MIN_DOSES or 0 not in series.mixtures:
        return []
    doses = np.array(list(series.mixtures), dtype=float)
    sampled = np.stack([scores.of(mixture, series.language) for mixture in series.mixtures.values()])
    return [] if np.isnan(sampled).any() else [fit_curve(doses, column) for column in sampled.T]


def fit_curve(doses: Floats, scores: Floats) -> Curve:
    """Fit a saturating curve by least squares; doses and scores have shape (doses,), at least three of each.

    Given the scale, floor and rise are a linear fit, so only the scale is searched (variable projection; Golub and
    Pereyra 1973, SIAM J. Numer. Anal. 10:413): with scipy's bounded search on its logarithm, from a tenth of the
    smallest dose to ten times the largest. If scores fall with the dose, the rise is negative.
    """
    bounds = np.log(scale_bounds(doses))
    best = minimize_scalar(lambda log_scale: _misfit(doses, scores, np.exp(log_scale)), bounds=bounds, method="bounded")
    scale = float(np.exp(best.x))
    floor, rise = _line(share_of_rise(doses, scale), scores)
    return Curve(floor, rise, scale)


def scale_bounds(doses: Floats) -> tuple[float, float]:
    """Return the search bounds of a curve's scale. The doses do not determine a scale that is at either bound."""
    positive = doses[doses > 0]
    return float(positive.min()) / 10, float(positive.max()) * 10


def share_of_rise(doses: Floats, scale: float | Floats) -> Floats:
    """Return 1 - exp(-dose / scale)."""
    share: Floats = -np.expm1(-doses / scale)
    return share


def _misfit(doses: Floats, scores: Floats, scale: float) -> float:
    x = share_of_rise(doses, scale)
    floor, rise = _line(x, scores)
    return float(((scores - floor - rise * x) ** 2).sum())


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Return intercept and slope of the least-squares line."""
    centred = x - x.mean()
    slope = float((centred * y).sum() / (centred**2).sum())
    return float(y.mean() - slope * x.mean()), slope


def _dose_rows(series: Series, scores: SampledScores, curves: Sequence[Curve]) -> Iterator[Row]:
    for dose, mixture in series.mixtures.items():
        cell = (mixture, series.language)
        described = {"dose": dose, "mixture": mixture, "n": scores.posts[cell]}
        fitted = float(curves[0].at(np.array([float(dose)]))[0]) if curves else None
        yield {**described, **estimate(scores.of(*cell), "score"), "fitted": fitted}


def _curve_rows(series: Series, curves: Sequence[Curve]) -> Iterator[Row]:
    if not curves:
        return
    positive = [float(dose) for dose in series.mixtures if dose]
    doses = np.unique([*np.linspace(0, min(positive), _POINTS), *np.geomspace(min(positive), max(positive), _POINTS)])
    floor, rise, scale = (np.array(values)[:, None] for values in zip(*curves, strict=True))
    for dose, along in zip(doses, (floor + rise * share_of_rise(doses, scale)).T, strict=True):
        yield {"dose": float(dose), **estimate(along, "score")}


def _fit_row(series: Series, scores: SampledScores, curves: Sequence[Curve]) -> Row:
    own = scores.in_own_language(series.language)
    largest = max(series.mixtures)
    row: Row = {"doses": len(series.mixtures), "in_language": float(own[0]), "target": ENOUGH * float(own[0])}
    row |= {"largest_dose": largest}
    if not curves:
        return row
    scales = np.array([curve.scale for curve in curves])
    row |= {**curves[0]._asdict(), **estimate(scales, "scale", "scale_")}
    if np.isnan(own).all():
        return row
    sizes = np.array([curve.reaches(ENOUGH * target) for curve, target in zip(curves, own, strict=True)])
    low, high = _infinite_interval(sizes[1:])
    return row | {"size": sizes[0], "size_low": low, "size_high": high, "reached": float((sizes[1:] <= largest).mean())}


def _infinite_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95% percentile interval of values that may be infinite, without interpolation."""
    low, high = np.quantile(values, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)
