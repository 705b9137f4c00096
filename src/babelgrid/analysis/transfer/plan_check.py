"""Whether a plan kept its promise: the advice and its rivals, trained at equal cost."""

from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.analysis.bootstrap.statistics import estimate, read_sampled_scores
from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer.planner import ADVICE
from babelgrid.analysis.types import Floats, Row
from babelgrid.errors import UserError
from babelgrid.runtime.files import write_csv


def check_plan(
    *, replicates_path: str | Path, expected_path: str | Path, view: str, min_posts: int, out: str | Path
) -> None:
    """Write plan_check.csv: view, plan, target, expected with its interval, achieved with its, and advantage.

    replicates_path: of the experiment that trained the plans, whose names are its mixtures. expected_path:
    plan_scores.csv of the experiment that made them. advantage: what the advice achieved minus what this plan did, on
    the same posts. Raises `UserError` where a plan was not trained.
    """
    expected = read_table(expected_path)
    scores = read_sampled_scores(replicates_path, min_posts)[view]
    languages = [name for name in scores.languages if (ADVICE, name) in scores and scores.ranked[ADVICE, name]]
    plans = expected["plan"].unique()
    missing = [plan for plan in [ADVICE, *plans] if plan not in scores.mixtures]
    if missing or not languages:
        raise UserError(f"{expected_path}: the plan {(missing or [ADVICE])[0]!r} was not trained here on enough posts")
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
    """Return the worst or the mean of languages; sampled: (languages, samples)."""
    reached: Floats = sampled.min(axis=0) if target == "worst" else sampled.mean(axis=0)
    return reached
