"""Test the five claims of the original study (arXiv 2508.06435) on an experiment."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.analysis.bootstrap.statistics import SampledScores, estimate, read_sampled_scores
from babelgrid.analysis.exposure.regression import EXPOSURE
from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer.donors import UNTUNED
from babelgrid.analysis.transfer.doses import dose_series
from babelgrid.mixture import Mixture
from babelgrid.runtime.files import write_csv
from babelgrid.types import Floats, Row

TOPIC, STANCE = "topic", "stance"
"""The views that the claims refer to. Claims about a missing view are undecided."""
ALL = "all"
MARGIN = 0.05
"""Largest deficit relative to the adapter of all languages that still counts as transfer."""
TINY_DOSE = 100
"""Largest dose, in posts, that counts as tiny."""
SMALL_SHARE = 0.01
"""Largest ratio of fine-tuning to pre-training tokens that counts as small."""

TRANSFERS = "Topic transfers from one or two languages"
MULTILINGUAL = "Stance gains from multilingual tuning"
BIASED = "Pre-training share biases accuracy"
DOSED = "A tiny dose of a weak language helps it"
SUFFICES = "A small share of tokens suffices"
COLUMNS = ("claim", "view", "test", "effect", "low", "high", "verdict", "why")


def judge_claims(
    *,
    replicates_path: str | Path,
    regression_path: str | Path,
    exposure_path: str | Path,
    mixtures: Sequence[Mixture],
    share_table: str,
    min_posts: int,
    out: str | Path,
) -> None:
    """Write claims.csv: claim, view, test, effect, low, high, verdict (supported, contradicted, undecided), why.

    A claim has one row for each of its tests. The verdict is `supported` if the 95% interval lies entirely on the
    claim's side of the test's bound (0, or the margin given in the test), `contradicted` if it lies entirely on the
    other side, and `undecided` if it contains the bound, or if the grid lacks the data, as explained in `why`.
    share_table: the exposure table that describes this base. Tables for other bases are ignored.
    """
    views = read_sampled_scores(replicates_path, min_posts)
    exposure = read_table(exposure_path)
    rows = [
        *_on_view(TOPIC, views, lambda scores: judge_transfer(scores, mixtures), TRANSFERS),
        *_on_view(STANCE, views, lambda scores: judge_multilingual(scores, mixtures), MULTILINGUAL),
        *judge_bias(read_table(regression_path), share_table),
    ]
    for view, scores in views.items():
        rows += [{**row, "view": view} for row in judge_dose(scores, mixtures)]
        rows += [{**row, "view": view} for row in judge_share_of_tokens(scores, exposure)]
    write_csv(out, pd.DataFrame(rows, columns=list(COLUMNS)))


def judge_transfer(scores: SampledScores, mixtures: Sequence[Mixture]) -> Iterator[Row]:
    """Test adapters of one or two languages in ranked languages that they were not trained on, against two rivals."""
    few = [mixture for mixture in mixtures if mixture.is_trained and len(mixture.all_languages) <= 2]
    cells = _unseen(scores, few)
    for rival, test, bound in (
        (UNTUNED, "score in languages not trained on, minus the untuned base's score", 0.0),
        (ALL, f"the same, minus the score of the adapter of all languages; up to {MARGIN} worse is accepted", -MARGIN),
    ):
        yield _against(TRANSFERS, test, cells, rival, scores, bound)


def judge_multilingual(scores: SampledScores, mixtures: Sequence[Mixture]) -> Iterator[Row]:
    """Test the adapter of all languages against the adapters of one language, outside that language."""
    single = [mixture for mixture in mixtures if mixture.is_trained and len(mixture.all_languages) == 1]
    cells = [cell for cell in _unseen(scores, single) if (ALL, cell[1]) in scores]
    test = "score of the adapter of all languages minus adapters of one language, outside that language"
    if not cells:
        yield _undecided(MULTILINGUAL, test, "the grid needs adapters of one language and an adapter of all languages")
        return
    effect = scores.mean([(ALL, language) for _, language in cells]) - scores.mean(cells)
    yield _decided(MULTILINGUAL, test, effect)


def judge_bias(regression: pd.DataFrame, share_table: str) -> Iterator[Row]:
    """Judge each view by the pooled slope of correctness on exposure in regression.csv."""
    own = (regression["table"] == share_table) & (regression["model"] == "pooled") & (regression["term"] == EXPOSURE)
    slopes = regression[own].dropna(subset="low")
    if slopes.empty:
        yield _undecided(BIASED, "slope of correctness on log10 exposure", "exposure is known for too few languages")
    for slope in slopes.to_dict("records"):
        test = (
            f"probability of a correct answer per tenfold exposure ({slope['table']}, {slope['languages']} languages)"
        )
        row = {"claim": BIASED, "view": slope["view"], "test": test, "effect": slope["estimate"]}
        yield row | {"low": slope["low"], "high": slope["high"], "verdict": verdict(slope["low"], slope["high"])}


def judge_dose(scores: SampledScores, mixtures: Sequence[Mixture]) -> Iterator[Row]:
    """Test the smallest dose of each language against no dose, if the dose is tiny and the language is ranked."""
    doses = [
        (own, min(dose for dose in own.mixtures if dose))
        for own in dose_series(mixtures, scores)
        if 0 in own.mixtures and len(own.mixtures) > 1 and scores.ranked[own.mixtures[0], own.language]
    ]
    tiny = [(own, dose) for own, dose in doses if dose <= TINY_DOSE]
    if not tiny:
        why = f"no dose has {TINY_DOSE} posts or fewer" if doses else "the grid has no doses; add mixtures.doses"
        yield _undecided(DOSED, "smallest dose of a language minus no dose", why)
        return
    gains = [
        scores.of(own.mixtures[dose], own.language) - scores.of(own.mixtures[0], own.language) for own, dose in tiny
    ]
    sizes = [dose for _, dose in tiny]
    posts = " to ".join(str(dose) for dose in dict.fromkeys([min(sizes), max(sizes)]))
    languages = ", ".join(dict.fromkeys(own.language for own, _ in tiny))
    yield _decided(DOSED, f"{posts} posts of a language minus no posts ({languages})", np.mean(gains, axis=0))


def judge_share_of_tokens(scores: SampledScores, exposure: pd.DataFrame) -> Iterator[Row]:
    """Test whether the adapter of all languages gains over the untuned base with a small share of tokens."""
    ratio = exposure.loc[exposure["mixture"] == ALL, "finetune_to_pretraining"].astype(float)
    share = float(ratio.sum()) if ratio.notna().any() else float("nan")
    test = "gain of the adapter of all languages over the untuned base, mean over languages"
    if not share <= SMALL_SHARE:
        known = "unknown" if np.isnan(share) else f"{share:.2g}, more than {SMALL_SHARE}"
        yield _undecided(SUFFICES, test, f"the ratio of fine-tuning to pre-training tokens is {known}")
        return
    cells = [(ALL, language) for language in scores.languages if (ALL, language) in scores]
    cells = [cell for cell in cells if scores.ranked[cell]]
    yield _against(SUFFICES, f"{test}, on {share:.2g} of the pre-training tokens", cells, UNTUNED, scores, 0.0)


def verdict(low: float, high: float, bound: float = 0.0) -> str:
    """Return the verdict for an interval; values above the bound support the claim."""
    if low > bound:
        return "supported"
    return "contradicted" if high < bound else "undecided"


def _on_view(
    view: str, views: Mapping[str, SampledScores], judge: Callable[[SampledScores], Iterator[Row]], claim: str
) -> Iterator[Row]:
    if view not in views:
        yield {**_undecided(claim, "", f"the experiment has no view called {view}"), "view": view}
        return
    yield from ({**row, "view": view} for row in judge(views[view]))


def _unseen(scores: SampledScores, mixtures: Sequence[Mixture]) -> list[tuple[str, str]]:
    """Return the ranked cells of mixtures in languages that they were not trained on."""
    return [
        (mixture.name, language)
        for mixture in mixtures
        for language in scores.languages
        if (mixture.name, language) in scores
        and scores.ranked[mixture.name, language]
        and language not in mixture.all_languages
    ]


def _against(
    claim: str, test: str, cells: Sequence[tuple[str, str]], rival: str, scores: SampledScores, bound: float
) -> Row:
    paired = [cell for cell in cells if (rival, cell[1]) in scores]
    if not paired:
        return _undecided(claim, test, f"the grid has no {rival!r} to compare these adapters with")
    effect = scores.mean(paired) - scores.mean([(rival, language) for _, language in paired])
    return _decided(claim, test, effect, bound)


def _decided(claim: str, test: str, effect: Floats, bound: float = 0.0) -> Row:
    measured = estimate(effect)
    if np.isnan(list(measured.values())).any():
        return {**_undecided(claim, test, "a cell has no score, or no interval (all posts in one group)"), **measured}
    return {"claim": claim, "test": test, **measured, "verdict": verdict(measured["low"], measured["high"], bound)}


def _undecided(claim: str, test: str, why: str) -> Row:
    return {"claim": claim, "test": test, "verdict": "undecided", "why": why}
