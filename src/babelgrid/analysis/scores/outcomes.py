"""Count correctly answered posts by gold class, as the input of a regression on single posts."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.analysis.scores.views import classes_of, read_answers
from babelgrid.config.analysis import View
from babelgrid.types import Cell


def count_outcomes(predictions: Mapping[Cell, str | Path], views: Mapping[str, View]) -> pd.DataFrame:
    """Return view, mixture, seed, test_language, gold (class), posts and right: one row for each class of each cell."""
    rows = []
    for (mixture, seed, language), path in predictions.items():
        answers = read_answers(path)
        for name, view in views.items():
            gold, predicted = classes_of(answers, view)
            key = {"view": name, "mixture": mixture, "seed": seed, "test_language": language}
            for number, label in enumerate(view):
                own = gold == number
                right = int(np.count_nonzero(predicted[own] == number))
                rows.append({**key, "gold": label, "posts": int(own.sum()), "right": right})
    return pd.DataFrame(rows)
