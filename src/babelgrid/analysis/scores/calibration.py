"""Calibration: whether a probability of 0.8 is right in eight of ten posts, before and after temperature scaling."""

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
from babelgrid.analysis.types import Cell, Floats, Row
from babelgrid.config.analysis import View
from babelgrid.runtime.files import write_csv

BINS = 10
SCALED_ON = "the other half of the test posts"
_LEAST = 1e-9
"""A class's probability is taken to be no less, so that one confident error costs a finite amount."""
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
    """Write calibration.csv: a row for each mixture, test language and view, means over seeds.

    ece: expected calibration error. brier: Brier score. temperature: what the logarithms of the probabilities are
    divided by (above 1: the model was too sure). ece_scaled, brier_scaled: after that. No predictions are made on dev
    posts, so the temperature is cross-fitted: each half of the test posts (whole clusters) is scaled by the temperature
    of the other, which scaled_on says. Cells without posts, and answers that come without probabilities, are left out.
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
    """Return n, ece, brier, temperature, ece_scaled and brier_scaled of one cell; empty where there is nothing to say.

    clusters: cluster of each post; posts of one cluster stay in one half.
    """
    if np.isin(answers.logp, [0.0, -np.inf]).all():
        return {}  # labels that came without probabilities
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
    """Return the expected calibration error: the mean, over posts, of |accuracy - confidence| of the post's bin.

    Ten bins of equal width on the probability of the answer (Guo et al. 2017, ICML, equation 3). With few posts it is
    above 0 for a calibrated model too.
    """
    confidence = probability.max(axis=1)
    right = probability.argmax(axis=1) == gold
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(gold))


def brier(probability: Floats, gold: NDArray[np.intp]) -> float:
    """Return the Brier score (1950): the mean over posts of the squared distance to the gold class; 0 to 2."""
    truth = np.eye(probability.shape[1])[gold]
    return float(((probability - truth) ** 2).sum(axis=1).mean())


def fit_temperature(probability: Floats, gold: NDArray[np.intp]) -> float:
    """Return the temperature of the greatest likelihood (Guo et al. 2017, section 4.2), from 0.05 to 20; 1 for none."""
    if not len(gold):
        return 1.0
    log_probability = np.log(np.maximum(probability, _LEAST))
    posts = np.arange(len(gold))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(log_probability / np.exp(log_temperature), axis=1)
        return float(-scaled[posts, gold].mean())

    return float(np.exp(minimize_scalar(loss, bounds=_TEMPERATURES, method="bounded").x))


def scale(probability: Floats, temperature: float) -> Floats:
    """Return probabilities whose logarithms were divided by a temperature; each row adds up to 1."""
    scaled: Floats = np.exp(log_softmax(np.log(np.maximum(probability, _LEAST)) / temperature, axis=1))
    return scaled


def halves(clusters: NDArray[np.str_]) -> NDArray[np.intp]:
    """Return 0 or 1 for each post: half of the clusters each, by the CRC-32 of their names."""
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
