"""Say whether a model finds every answer to a prompt improbable, so that its scores say little about it."""

import numpy as np

IMPROBABLE = -8.0
"""Answers are improbable if the median over posts of the best answer's log-probability, in nats, is lower than this."""


def median_if_improbable(scores: np.ndarray) -> float | None:
    """Return the median log-probability of the posts' best answers if it is below `IMPROBABLE`, else None.

    scores: log-probabilities [posts, labels].
    """
    if not len(scores):
        return None
    median = float(np.median(scores.max(axis=1)))
    return median if median < IMPROBABLE else None
