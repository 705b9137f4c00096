"""Scores from confusion matrices, with bootstrap intervals."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from babelgrid.analysis.types import Floats

Metric = Literal["accuracy", "macro_f1", "weighted_f1", "mcc"]
METRICS: tuple[Metric, ...] = get_args(Metric)

Counts = NDArray[np.int64]
Weights = NDArray[np.float32]
"""Counts of resampled posts: whole numbers too, in the type in which matrices multiply fast."""


def count_confusions(gold: NDArray[np.intp], predicted: NDArray[np.intp], classes: int) -> Counts:
    """Return a confusion matrix, gold by predicted, from the class indices of each post; shape (classes, classes + 1).

    A predicted index `classes` is no class: such a post counts as wrong, in the last column.
    """
    return np.bincount(gold * (classes + 1) + predicted, minlength=classes * (classes + 1)).reshape(classes, -1)


def score_confusions(confusion: Counts | Weights, metrics: Sequence[Metric] = METRICS) -> dict[Metric, Floats]:
    """Score confusion matrices of shape (..., gold class, predicted class or none); each score has shape (...).

    The scores are those of scikit-learn with the classes as labels: macro-F1 is the mean over the classes that occur in
    gold or predictions, weighted F1 weighs classes by their gold posts, MCC is Gorodkin's R_K (2004) and 0 where it is
    undefined.
    A matrix without posts scores NaN.
    """
    margins = _margins(confusion)
    has_posts = margins[1].sum(axis=-1) > 0
    return {metric: np.where(has_posts, _SCORES[metric](*margins), np.nan) for metric in metrics}


def score_classes(confusion: Counts) -> dict[str, Floats]:
    """Return precision, recall, f1 and support by class, each of shape (..., class).

    confusion: (..., gold class, predicted class or none).

    As in scikit-learn, a ratio without a denominator is 0; in a matrix without posts it is NaN.
    """
    true, gold, predicted = _margins(confusion)
    has_posts = gold.sum(axis=-1, keepdims=True) > 0
    ratios = {
        "precision": _divide(true, predicted),
        "recall": _divide(true, gold),
        "f1": _divide(2 * true, gold + predicted),
    }
    return {**{name: np.where(has_posts, ratio, np.nan) for name, ratio in ratios.items()}, "support": gold}


def bootstrap_intervals(
    confusion: Counts, resamples: int, generator: np.random.Generator
) -> dict[Metric, tuple[float, float]]:
    """Return each score's 95% percentile interval over resampled posts (Efron 1979) for one confusion matrix.

    Drawing n posts with replacement puts each draw into one entry of the matrix with the probability entry / n, all
    draws independent: the resampled matrix is multinomial, and the scores depend on the posts through it alone. So
    resampling the matrix gives exactly the distribution that resampling the posts gives, at a cost that does not grow
    with their number.
    """
    posts = int(confusion.sum())
    if posts == 0:
        return dict.fromkeys(METRICS, (np.nan, np.nan))
    drawn = generator.multinomial(posts, confusion.ravel() / posts, size=resamples)
    scores = score_confusions(drawn.reshape(resamples, *confusion.shape))
    stacked = np.stack([scores[metric] for metric in METRICS])
    low, high = np.quantile(stacked, [0.025, 0.975], axis=1)
    return {metric: (float(low[i]), float(high[i])) for i, metric in enumerate(METRICS)}


def _margins(confusion: Counts | Weights) -> tuple[Floats, Floats, Floats]:
    """Return correct posts, gold posts and predicted posts by class.

    On axes as short as these `einsum` takes a third of the time of `sum`.
    """
    true = np.diagonal(confusion, axis1=-2, axis2=-1).astype(float)
    gold = np.einsum("...ij->...i", confusion).astype(float)
    predicted = np.einsum("...ij->...j", confusion[..., : gold.shape[-1]]).astype(float)
    return true, gold, predicted


def _accuracy(true: Floats, gold: Floats, predicted: Floats) -> Floats:
    return _divide(true.sum(axis=-1), gold.sum(axis=-1))


def _macro_f1(true: Floats, gold: Floats, predicted: Floats) -> Floats:
    occurring = np.count_nonzero(gold + predicted, axis=-1)
    return _divide(_divide(2 * true, gold + predicted).sum(axis=-1), occurring)


def _weighted_f1(true: Floats, gold: Floats, predicted: Floats) -> Floats:
    return _divide((_divide(2 * true, gold + predicted) * gold).sum(axis=-1), gold.sum(axis=-1))


def _matthews(true: Floats, gold: Floats, predicted: Floats) -> Floats:
    posts = gold.sum(axis=-1)
    covariance = true.sum(axis=-1) * posts - (gold * predicted).sum(axis=-1)
    gold_variance = posts**2 - (gold**2).sum(axis=-1)
    unanswered = posts - predicted.sum(axis=-1)
    predicted_variance = posts**2 - (predicted**2).sum(axis=-1) - unanswered**2
    return _divide(covariance, np.sqrt(gold_variance * predicted_variance))


def _divide(numerator: Floats, denominator: Floats | NDArray[np.intp]) -> Floats:
    """Divide, with 0 where there is nothing to divide by."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=np.asarray(denominator) != 0)


_SCORES: Mapping[Metric, Callable[[Floats, Floats, Floats], Floats]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "weighted_f1": _weighted_f1,
    "mcc": _matthews,
}
