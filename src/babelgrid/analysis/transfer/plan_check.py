"""Check a plan: compare the expected and achieved scores of the advice and its alternatives, trained at equal cost."""

from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.analysis.bootstrap.statistics import estimate, read_sampled_scores
from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer.planner import ADVICE
from babelgrid.errors import UserError
from babelgrid.runtime.files import write_csv
from babelgrid.types import Floats, Row


def check_plan(
    *, replicates_path: str | Path, expected_path: str | Path, view: str, min_posts: int, out: str | Path
) -> None:
    """Write plan_check.csv: view, plan, target, and expected, achieved and advantage with their intervals.

    replicates_path: replicates of the experiment that trained the plans; its mixtures are named after the plans.
    expected_path: plan_scores.csv of the experiment that created the plans. advantage: the score achieved by the advice
    minus that of this plan on the same posts. Raises `UserError` if a plan was not trained.
    """
    expected = read_table(expected_path)
    scores = read_sampled_scores(replicates_path, min_posts)[view]
    languages = [name for name in scores.languages if (ADVICE, name) in scores and scores.ranked[ADVICE, name]]
    plans = expected["plan"].unique()
    missing = [plan for plan in [ADVICE, *plans] if plan not in scores.mixtures]
    if missing or not languages:
        raise UserError(
            f"{expected_path}: the plan {(missing or [ADVICE])[0]!r} was not trained here or has too few test posts"
        )
    achieved = {plan: np.stack([scores.of(plan, language) for language in languages]) for plan in plans}
    rows: list[Row] = []
    for row in expected.to_dict("records"):
        own, advice = (_reach(row["target"], achieved[plan]) for plan in (row["plan"], ADVICE))
        promised = {"expected": row["expected"], "expected_low": row["low"], "expected_high": row["high"]}
        key = {"view": view, "plan": row["plan"], "target": row["target"]}
        rows.append(
            {**key, **promised, **estimate(own, "achieved"), **estimate(advice - own, "advantage", "advantage_")}
        )
    write_csv(out, pd.DataFrame(rows))


def _reach(target: str, sampled: Floats) -> Floats:
    """Return the worst or the mean over languages; sampled: (languages, samples)."""
    reached: Floats = sampled.min(axis=0) if target == "worst" else sampled.mean(axis=0)
    return reached
