"""Compute scores and bootstrap intervals from confusion matrices."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from babelgrid.types import Floats

Metric = Literal["accuracy", "macro_f1", "weighted_f1", "mcc"]
METRICS: tuple[Metric, ...] = get_args(Metric)

Counts = NDArray[np.int64]
Weights = NDArray[np.float32]
"""Counts of resampled posts: integers stored as float32, for fast matrix products."""


def count_confusions(gold: NDArray[np.intp], predicted: NDArray[np.intp], classes: int) -> Counts:
    """Return a confusion matrix, gold by predicted, from the class indices of each post; shape (classes, classes + 1).

    The predicted index `classes` means no class; the post counts as wrong, in the last column.
    """
    return np.bincount(gold * (classes + 1) + predicted, minlength=classes * (classes + 1)).reshape(classes, -1)


def score_confusions(confusion: Counts | Weights, metrics: Sequence[Metric] = METRICS) -> dict[Metric, Floats]:
    """Score confusion matrices of shape (..., gold class, predicted class or no class); each score has shape (...).

    The scores equal those of scikit-learn with the classes as labels. Macro-F1 is the mean over the classes that occur
    in gold or predictions, weighted F1 weights classes by their gold posts, and MCC is Gorodkin's R_K (2004), 0 where
    undefined. The scores of a matrix without posts are NaN.
    """
    margins = _margins(confusion)
    has_posts = margins[1].sum(axis=-1) > 0
    return {metric: np.where(has_posts, _SCORES[metric](*margins), np.nan) for metric in metrics}


def score_classes(confusion: Counts) -> dict[str, Floats]:
    """Return precision, recall, f1 and support by class, each of shape (..., class).

    confusion: (..., gold class, predicted class or no class).

    As in scikit-learn, a ratio with denominator 0 is 0. In a matrix without posts, ratios are NaN.
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

    When n posts are drawn with replacement, each draw falls into an entry of the matrix with probability entry / n,
    independently of the others. The resampled matrix is therefore multinomial, and the scores depend on the posts only
    through this matrix. Resampling the matrix gives exactly the same distribution as resampling the posts, at a cost
    that does not grow with the number of posts.
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

    `einsum` is three times faster than `sum` on axes this short.
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
    """Divide, and return 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=np.asarray(denominator) != 0)


_SCORES: Mapping[Metric, Callable[[Floats, Floats, Floats], Floats]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "weighted_f1": _weighted_f1,
    "mcc": _matthews,
}
