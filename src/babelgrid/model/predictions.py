"""Make tables of predictions: the same columns for every system."""

from collections.abc import Sequence

import pandas as pd

from babelgrid.types import Floats


def predictions_of(posts: pd.DataFrame, scores: Floats, labels: Sequence[str]) -> pd.DataFrame:
    """Return id, gold, predicted and logp_<label> for posts with id and label.

    scores: natural log-probabilities, shape (posts, labels).
    """
    return pd.DataFrame(
        {
            "id": posts["id"],
            "gold": posts["label"],
            "predicted": [labels[number] for number in scores.argmax(axis=1)],
            **{f"logp_{label}": scores[:, number] for number, label in enumerate(labels)},
        }
    )
