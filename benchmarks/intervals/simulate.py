"""Simulate cells with a known truth and evaluate them with the functions that create the tables."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from babelgrid.analysis.bootstrap.compare import MODEL, Pair, compare_panel
from babelgrid.analysis.bootstrap.intervals import percentile_interval
from babelgrid.analysis.bootstrap.paired import PairedPredictions
from babelgrid.analysis.bootstrap.replicates import draw_posts, draw_seeds, score_draws
from babelgrid.analysis.scores.metrics import Metric, score_confusions
from babelgrid.config.analysis import Score

SHARES = np.array([0.3, 0.2, 0.5])
"""Share of posts with each gold class."""
ANSWERS = np.array([[0.7, 0.2, 0.1], [0.15, 0.75, 0.1], [0.1, 0.2, 0.7]])
"""Share of each answer for each gold class, on average over seeds; shape (gold, answered)."""

Floats = NDArray[np.float64]


class Cell(NamedTuple):
    """The parameters of a simulated cell: numbers of posts and seeds, and the variation between seeds."""

    posts: int
    seeds: int = 1
    spread: float = 0.0
    """Standard deviation over seeds of the share of posts answered at random (negative: better than average)."""


def coverage(cell: Cell, metric: Metric, simulations: int, resamples: int, seed: int) -> float:
    """Return how often a cell's 95% interval contains the expected score of a new seed on infinitely many posts.

    All simulations use the same draws for resampling, which does not affect the coverage.
    """
    generator = np.random.default_rng(seed)
    truth = _scores(_answers_of_seeds(100_000, cell.spread, generator), metric).mean()
    names = np.arange(cell.posts).astype(np.str_)
    weights = draw_posts(names, resamples, seed)
    draws = draw_seeds(cell.seeds, resamples, seed)
    hits = 0
    for _ in range(simulations):
        gold = generator.choice(len(SHARES), cell.posts, p=SHARES)
        predicted = _answer(gold, _answers_of_seeds(cell.seeds, cell.spread, generator), generator)
        scores = score_draws(gold, predicted, len(SHARES), weights, metric)
        low, high = percentile_interval(np.take_along_axis(scores, draws, axis=1).mean(axis=1))
        hits += bool(low <= truth <= high)
    return hits / simulations


def rejections(posts: int, gain: float, score: Score, simulations: int, seed: int) -> dict[str, float]:
    """Return how often each test finds a difference (p < 0.05) between two adapters.

    Posts differ in difficulty, equally for both adapters, so their answers are paired. gain: how much more often the
    first adapter is right; 0 is the null hypothesis.
    """
    generator = np.random.default_rng(seed)
    rows = [("a", MODEL, 0), ("b", MODEL, 0)]
    found = {"p_bootstrap": 0, "p_mcnemar": 0}
    for _ in range(simulations):
        gold = generator.choice(len(SHARES), posts, p=SHARES)
        ease = generator.beta(2, 1, posts)
        right = generator.random((2, posts)) < np.clip(ease + np.array([[gain], [0]]), 0, 1)
        wrong = (gold + generator.integers(1, len(SHARES), (2, posts))) % len(SHARES)
        panel = PairedPredictions(len(SHARES), np.arange(posts).astype(np.str_), gold, np.where(right, gold, wrong))
        compared = compare_panel(panel, rows, [Pair("a", ("b", MODEL), "mixture")], score, seed)
        for test in found:
            found[test] += bool(compared[test][0] < 0.05)
    return {test: count / simulations for test, count in found.items()}


def _answers_of_seeds(seeds: int, spread: float, generator: np.random.Generator) -> Floats:
    """Return the answer probabilities of each seed; shape (seeds, gold, predicted)."""
    random = np.clip(generator.normal(0, spread, (seeds, 1, 1)), -0.25, 0.9)
    return (1 - random) * ANSWERS + random / len(SHARES)


def _answer(gold: NDArray[np.intp], answers: Floats, generator: np.random.Generator) -> NDArray[np.intp]:
    """Draw every seed's answer to every post; shape (seeds, posts)."""
    edges = answers.cumsum(axis=-1)[:, gold, :-1]
    return (generator.random((len(answers), len(gold), 1)) > edges).sum(axis=-1)


def _scores(answers: Floats, metric: Metric) -> Floats:
    """Return the score of each seed on infinitely many posts."""
    return score_confusions(SHARES[:, None] * answers, [metric])[metric]
