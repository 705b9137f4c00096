"""Plan labelling: given a grid and a budget of labelled posts, choose how many posts to label in each language.

The model assumes that each labelled language s independently closes part of the gap in a language l between the untuned
base and the adapter of l:

    score(l) = floor(l) + (ceiling(l) - floor(l)) * (1 - product over s of (1 - f(n_s) * t(s, l)))

t(s, l) is the part of the gap in l that the grid's adapter of s alone closes (0 to 1; 1 for l itself). f(n), from 0 to
1, is the fraction of that effect reached with n posts, according to the grid's dose-response curves. The result is an
estimate for choosing a plan; `make plan-check` trains the plan and its alternatives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from babelgrid.analysis.bootstrap.statistics import SampledScores, estimate, read_sampled_scores
from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer.donors import UNTUNED
from babelgrid.analysis.transfer.doses import dose_series, fit_series, scale_bounds, share_of_rise
from babelgrid.errors import UserError
from babelgrid.mixture import Mixture
from babelgrid.runtime.files import write_csv, write_text
from babelgrid.types import Floats, Row

ADVICE = "advice"
Allocation = dict[str, int]
"""Language -> labelled posts."""


@dataclass(frozen=True)
class TransferModel:
    """The model of the effect of labelled posts; the last axis is the observed value and its replicates."""

    candidates: tuple[str, ...]
    """Languages that may be labelled."""
    floor: Floats
    """Score of the untuned base; shape (targets, samples)."""
    ceiling: Floats
    """Score of the language's own adapter; shape (targets, samples). If the language has no adapter, the higher of two
    scores: that of the best mixture in this language, and the mean score of the other languages' own adapters. The
    effect of the language's own posts is unknown."""
    transfer: Floats
    """t(s, l); shape (candidates, targets, samples)."""
    scale: Floats
    """Posts at which 63% of a curve's rise is reached; shape (samples,)."""
    adapter_posts: Floats
    """Train posts of each candidate's adapter in the grid, for which f is 1; shape (candidates,)."""

    def expect(self, allocation: Mapping[str, int]) -> Floats:
        """Return the expected score of each target; shape (targets, samples)."""
        posts = np.array([float(allocation.get(language, 0)) for language in self.candidates])
        rise, full_rise = (share_of_rise(own[:, None], self.scale) for own in (posts, self.adapter_posts))
        effect = np.minimum(rise / full_rise, 1)
        left = np.prod(1 - effect[:, None] * self.transfer, axis=0)
        expected: Floats = self.floor + (self.ceiling - self.floor) * (1 - left)
        return expected


def plan_labels(
    *,
    replicates_path: str | Path,
    exposure_path: str | Path,
    mixtures: Sequence[Mixture],
    candidates: Sequence[str],
    view: str,
    budget: int,
    step: int,
    min_posts: int,
    experiment: str,
    plan_path: str | Path,
    scores_path: str | Path,
    overlay_path: str | Path,
) -> None:
    """Write plan.csv, plan_scores.csv and a config overlay that trains the plans to check them.

    plan.csv: view, plan, language, posts. The plans are `advice` and two alternatives of the same cost:
    `only_<language>` (English, or the first candidate) and `equal` (equal shares of all candidates). plan_scores.csv:
    view, plan, target (worst language, mean of languages), expected, low, high. The interval covers sampling of the
    grid's posts and seeds, not errors of the model. Raises `UserError` if the grid lacks the data for a plan.
    """
    views = read_sampled_scores(replicates_path, min_posts)
    if view not in views:
        raise UserError(f"plan.view: {view!r} has no scored cells. Views with scored cells: {', '.join(views)}")
    model = build_model(views[view], mixtures, candidates, _posts_alone(exposure_path))
    plans = {ADVICE: choose_greedily(model, budget, step), **alternatives(candidates, budget)}
    rows = [
        {"view": view, "plan": plan, "language": language, "posts": posts}
        for plan, allocation in plans.items()
        for language, posts in allocation.items()
    ]
    write_csv(plan_path, pd.DataFrame(rows))
    scores = [
        {"view": view, "plan": plan, **row} for plan, own in plans.items() for row in target_rows(model.expect(own))
    ]
    write_csv(scores_path, pd.DataFrame(scores))
    write_text(overlay_path, overlay(experiment, plans, view, budget, step))


def build_model(
    scores: SampledScores, mixtures: Sequence[Mixture], candidates: Sequence[str], posts_alone: Mapping[str, float]
) -> TransferModel:
    """Estimate the model from a grid, for the ranked test languages.

    posts_alone: language -> train posts of its adapter. A candidate without its own adapter has an effect only in its
    own language, and its `adapter_posts` is the mean over the candidates that have an adapter.
    """
    targets = [name for name in scores.languages if (UNTUNED, name) in scores and scores.ranked[UNTUNED, name]]
    if not targets:
        raise UserError(
            "plan: no test language has a score of the untuned base on score.min_posts posts; set mixtures.none: true"
        )
    if not posts_alone:
        raise UserError("plan: needs at least one monolingual adapter; add mixtures.monolingual")
    floor = np.stack([scores.of(UNTUNED, language) for language in targets])
    of_base = [UNTUNED, *(own.name for own in mixtures if own.is_trained)]
    ceiling = np.stack([_ceiling(scores, of_base, language) for language in targets])
    headroom = ceiling - floor
    transfer = np.zeros((len(candidates), *floor.shape))
    for number, source in enumerate(candidates):
        for place, target in enumerate(targets):
            if source == target:
                transfer[number, place] = 1
            elif scores.ranked.get((source, target)):
                gain = scores.of(source, target) - floor[place]
                part = np.divide(gain, headroom[place], out=np.zeros_like(gain), where=headroom[place] > 0.01)
                transfer[number, place] = np.clip(part, 0, 1)
    average = float(np.mean(list(posts_alone.values())))
    adapter_posts = np.array([posts_alone.get(language, average) for language in candidates])
    return TransferModel(tuple(candidates), floor, ceiling, transfer, _scale(scores, mixtures), adapter_posts)


def choose_greedily(model: TransferModel, budget: int, step: int) -> Allocation:
    """Add `step` posts at a time to the language that most increases the worst plus the mean expected score."""
    allocation: Allocation = {}
    while (left := budget - sum(allocation.values())) > 0:
        size = min(step, left)
        raised = {name: {**allocation, name: allocation.get(name, 0) + size} for name in model.candidates}
        allocation = max(raised.values(), key=lambda trial: _objective(model, trial))
    return {language: allocation[language] for language in model.candidates if language in allocation}


def alternatives(candidates: Sequence[str], budget: int) -> dict[str, Allocation]:
    """Return the two plans that the advice is compared with at the same cost."""
    single = "en" if "en" in candidates else candidates[0]
    share, rest = divmod(budget, len(candidates))
    equal = {language: share + (number < rest) for number, language in enumerate(candidates)}
    return {
        f"only_{single.replace('-', '_')}": {single: budget},
        "equal": {language: posts for language, posts in equal.items() if posts},
    }


def target_rows(sampled: Floats) -> list[Row]:
    """Return target, expected, low and high for the worst and mean over languages; sampled: (languages, samples)."""
    targets = {"worst": sampled.min(axis=0), "mean": sampled.mean(axis=0)}
    return [{"target": target, **estimate(values, "expected")} for target, values in targets.items()]


def overlay(experiment: str, plans: Mapping[str, Allocation], view: str, budget: int, step: int) -> str:
    """Return a YAML overlay of the experiment's config that trains these plans only: no API, no rivals.

    Keys are merged one by one, so `mixtures.sets` and `allocations` of the config are kept and are trained too.
    """
    content = {
        "experiment": f"{experiment}_plan",
        "mixtures": {
            **{"none": True, "monolingual": [], "pairs": [], "sets": {}, "all": False, "leave_one_out": []},
            **{"doses": [], "merged": {"pairs": [], "averages": [], "swaps": []}},
            **{"budget": "natural", "posts": None, "allocations": dict(plans)},
        },
        "api": None,
        "rivals": None,
        "plan": {"budget": budget, "step": step, "view": view, "checks": experiment},
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _objective(model: TransferModel, allocation: Mapping[str, int]) -> float:
    observed = model.expect(allocation)[:, 0]
    return float(observed.min() + observed.mean())


def _ceiling(scores: SampledScores, of_base: Sequence[str], language: str) -> Floats:
    if scores.ranked.get((language, language)):
        return scores.in_own_language(language)
    best = max(
        (mixture for mixture in of_base if scores.ranked.get((mixture, language))),
        key=lambda mixture: scores.of(mixture, language)[0],
    )
    own = [scores.in_own_language(name) for name in scores.languages if scores.ranked.get((name, name))]
    return np.maximum(scores.of(best, language), np.mean(own, axis=0)) if own else scores.of(best, language)


def _scale(scores: SampledScores, mixtures: Sequence[Mixture]) -> Floats:
    """Return the median scale of the rising dose-response curves, observed and replicated."""
    scales = []
    for series in dose_series(mixtures, scores):
        curves = fit_series(series, scores)
        least, most = scale_bounds(np.array(list(series.mixtures), dtype=float))
        if curves and curves[0].rise > 0 and 1.01 * least < curves[0].scale < 0.99 * most:
            scales.append([curve.scale for curve in curves])
    if not scales:
        raise UserError(
            "plan: needs a dose-response curve that rises and levels off, with at least three doses including 0; add "
            "mixtures.doses (tables/dose_fits.csv lists the fitted curves)"
        )
    median: Floats = np.median(scales, axis=0)
    return median


def _posts_alone(exposure_path: str | Path) -> dict[str, float]:
    exposure = read_table(exposure_path)
    alone = exposure[(exposure["mixture"] == exposure["language"]) & (exposure["finetune_posts"] > 0)]
    return dict(zip(alone["language"], alone["finetune_posts"].astype(float), strict=True))
