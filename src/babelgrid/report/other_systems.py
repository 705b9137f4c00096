"""Say whether another system does better than the fine-tuned base, from rivals.csv."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from babelgrid.analysis.scores.metrics import Metric
from babelgrid.analysis.transfer.rivals import EVERY
from babelgrid.figures.style import METRIC_NAMES, decimal

NAMES = {
    "embedding": "the frozen embedding with logistic regression",
    "encoder": "the encoder",
    "translate_test": "the fine-tuned base on translated test posts",
    "translate_train": "the base fine-tuned and tested on translated posts",
}
"""System -> its name in a sentence."""

NOTHING = "Other systems cannot be compared: no cell has enough posts to be ranked."


def describe_rivals(rivals: pd.DataFrame, metric: Metric, views: Iterable[str]) -> dict[str, list[str]]:
    """Return view -> one sentence per system, the system with the highest difference first.

    A system wins clearly if the 95% interval of its mean difference over all mixtures is above 0. The sentence of the
    best system that wins clearly says to use it.
    """
    means = rivals[rivals["mixture"] == EVERY].sort_values("difference", ascending=False, kind="stable")
    described = {
        view: [_sentence(row, metric, number == 0) for number, row in enumerate(own.to_dict("records"))]
        for view, own in ((view, means[means["view"] == view]) for view in views)
    }
    return {view: sentences or [NOTHING] for view, sentences in described.items()}


def _sentence(row: Any, metric: Metric, is_best: bool) -> str:
    name, measured = NAMES[row["system"]], f"mean {METRIC_NAMES[metric]}"
    subject = f"The {measured} of {name}"
    if row["low"] > 0 and is_best:
        subject = f"Use {name}: its {measured}"
    elif row["low"] <= 0 <= row["high"]:
        subject = f"No clear difference: the {measured} of {name}"
    return (
        f"{subject} is {decimal(abs(row['difference']))} {'above' if row['difference'] > 0 else 'below'} that of the "
        f"fine-tuned base on the same posts, mixtures and seeds (95% interval of the difference: {decimal(row['low'])} "
        f"to {decimal(row['high'])}; {row['cells']} cells, {row['languages']} test languages)."
    )
