"""Measure calibration (whether answers with probability 0.8 are right for 80% of posts) and temperature scaling."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from babelgrid.analysis.bootstrap.paired import read_clusters
from babelgrid.analysis.scores.views import LabelScores, class_probabilities, classes_of, read_answers
from babelgrid.config.analysis import View
from babelgrid.runtime.files import write_csv
from babelgrid.types import Cell, Floats, Row

BINS = 10
SCALED_ON = "the other half of the test posts"
_LEAST = 1e-9
"""Lower bound for a class's probability, so that one confident error has a finite loss."""
_TEMPERATURES = np.log([0.05, 20.0])
COLUMNS = (
    *("view", "mixture", "test_language", "seeds", "n", "ece", "brier", "temperature", "ece_scaled", "brier_scaled"),
    "scaled_on",
)


def measure_calibration(
    predictions: Mapping[Cell, str | Path],
    posts: Mapping[str, str | Path],
    *,
    views: Mapping[str, View],
    out: str | Path,
) -> None:
    """Write calibration.csv: one row for each mixture, test language and view, averaged over seeds.

    ece: expected calibration error. brier: Brier score. temperature: divisor of the log-probabilities (above 1: the
    model was overconfident). ece_scaled, brier_scaled: the same after scaling. There are no predictions on dev posts,
    so the temperature is cross-fitted: each half of the test posts (split by clusters) is scaled with the temperature
    of the other half, as scaled_on records. Cells without posts and answers without probabilities are left out.
    posts: see `replicates.resample_cells`.
    """
    clusters = {language: read_clusters(path) for language, path in posts.items()}
    rows: list[Row] = []
    for (mixture, seed, language), path in predictions.items():
        answers = read_answers(path)
        names = np.array([clusters.get(language, {}).get(post, post) for post in answers.ids])
        for name, view in views.items():
            measured = calibrate(answers, view, names)
            if measured:
                key = {"view": name, "mixture": mixture, "test_language": language, "seed": seed}
                rows.append({**key, **measured})
    write_csv(out, _over_seeds(pd.DataFrame(rows), list(views)) if rows else pd.DataFrame(columns=list(COLUMNS)))


def calibrate(answers: LabelScores, view: View, clusters: NDArray[np.str_]) -> Row:
    """Return n, ece, brier, temperature, ece_scaled and brier_scaled of one cell.

    The result is empty if the cell has no posts or its answers have no probabilities.
    clusters: cluster of each post; posts of one cluster stay in the same half.
    """
    if np.isin(answers.logp, [0.0, -np.inf]).all():
        return {}  # the answers are labels without probabilities
    gold, _ = classes_of(answers, view)
    inside = gold >= 0
    probability = class_probabilities(answers, view)[inside]
    gold = gold[inside]
    if not len(gold):
        return {}
    half = halves(clusters[inside])
    scaled, temperatures = np.empty_like(probability), []
    for number in (0, 1):
        temperature = fit_temperature(probability[half != number], gold[half != number])
        scaled[half == number] = scale(probability[half == number], temperature)
        temperatures.append(temperature)
    return {
        "n": len(gold),
        "ece": calibration_error(probability, gold),
        "brier": brier(probability, gold),
        "temperature": float(np.exp(np.log(temperatures).mean())),
        "ece_scaled": calibration_error(scaled, gold),
        "brier_scaled": brier(scaled, gold),
    }


def calibration_error(probability: Floats, gold: NDArray[np.intp]) -> float:
    """Return the expected calibration error: the mean over posts of |accuracy - confidence| in the post's bin.

    There are ten bins of equal width on the probability of the answer (Guo et al. 2017, ICML, equation 3). With few
    posts, the error is above 0 even for a calibrated model.
    """
    confidence = probability.max(axis=1)
    right = probability.argmax(axis=1) == gold
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(gold))


def brier(probability: Floats, gold: NDArray[np.intp]) -> float:
    """Return the Brier score (1950), the mean over posts of the squared distance to the gold class; from 0 to 2."""
    truth = np.eye(probability.shape[1])[gold]
    return float(((probability - truth) ** 2).sum(axis=1).mean())


def fit_temperature(probability: Floats, gold: NDArray[np.intp]) -> float:
    """Return the maximum-likelihood temperature (Guo et al. 2017, section 4.2), from 0.05 to 20; 1 without posts."""
    if not len(gold):
        return 1.0
    log_probability = np.log(np.maximum(probability, _LEAST))
    posts = np.arange(len(gold))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(log_probability / np.exp(log_temperature), axis=1)
        return float(-scaled[posts, gold].mean())

    return float(np.exp(minimize_scalar(loss, bounds=_TEMPERATURES, method="bounded").x))


def scale(probability: Floats, temperature: float) -> Floats:
    """Divide log-probabilities by a temperature and return the probabilities; each row adds up to 1."""
    scaled: Floats = np.exp(log_softmax(np.log(np.maximum(probability, _LEAST)) / temperature, axis=1))
    return scaled


def halves(clusters: NDArray[np.str_]) -> NDArray[np.intp]:
    """Assign each post to half 0 or 1, with half of the clusters in each, ordered by the CRC-32 of their names."""
    names, cluster_of_post = np.unique(clusters, return_inverse=True)
    order = np.argsort([zlib.crc32(name.encode()) for name in names], kind="stable")
    half = np.empty(len(names), dtype=np.intp)
    half[order] = np.arange(len(names)) % 2
    return half[cluster_of_post]


def _over_seeds(rows: pd.DataFrame, views: list[str]) -> pd.DataFrame:
    groups = rows.groupby(["view", "mixture", "test_language"], sort=False)
    means = groups[["n", "ece", "brier", "temperature", "ece_scaled", "brier_scaled"]].mean()
    means.insert(0, "seeds", groups.size())
    table = means.assign(scaled_on=SCALED_ON).reset_index()
    return table.sort_values("view", key=lambda column: column.map(views.index), kind="stable")
