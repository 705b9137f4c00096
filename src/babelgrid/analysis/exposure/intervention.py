"""Measure the intervention: compare the same grid on two bases that differ only in their exposure.

Observational data cannot separate the effect of exposure from other differences between languages. If the lab
pre-trains two bases on streams with different language shares and both are evaluated with the same posts and mixtures,
the difference by language is due to exposure.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.analysis.bootstrap.statistics import SampledScores, estimate, read_sampled_scores
from babelgrid.analysis.exposure.trend import MIN_LANGUAGES
from babelgrid.analysis.tables import read_table
from babelgrid.errors import UserError
from babelgrid.runtime.files import write_csv
from babelgrid.types import Floats, Row

COLUMNS = (
    *("view", "mixture", "test_language", "n", "score", "score_against", "difference", "low", "high"),
    *("tokens", "tokens_against", "log10_ratio"),
)
SLOPES = ("view", "mixture", "languages", "slope", "low", "high")
Pair = tuple[SampledScores, SampledScores]
"""Scores of one view in this experiment and in the experiment that it is compared with."""


def measure_intervention(
    *,
    replicates_path: str | Path,
    against_replicates: str | Path,
    exposure_path: str | Path,
    against_exposure: str | Path,
    trained: Sequence[str],
    min_posts: int,
    seed: int,
    out: str | Path,
    slopes_path: str | Path,
) -> None:
    """Write intervention.csv (one row for each cell in both experiments) and intervention_slopes.csv.

    difference: the score in this experiment minus that of the same cell on the other base, with its 95% interval. Both
    bases are evaluated on the same posts, and the joint bootstrap uses the same resamples for both, so the difference
    is paired.
    tokens, tokens_against: pre-training tokens of the test language for the two bases. log10_ratio: log10 of their
    ratio.
    slope: least-squares slope of the difference on log10_ratio across languages: the change in score per tenfold ratio
    of exposures. There is one row for each mixture, and one named `trained` for the mean over the `trained` mixtures.
    The interval comes from a bootstrap over languages; each draw uses one replicate of the differences. No slope is
    computed for fewer than five languages.
    """
    here = read_sampled_scores(replicates_path, min_posts)
    against = read_sampled_scores(against_replicates, min_posts)
    tokens, tokens_against = (_pretraining_tokens(path) for path in (exposure_path, against_exposure))
    ratio = (tokens / tokens_against).map(np.log10).replace([np.inf, -np.inf], np.nan)
    cells: list[Row] = []
    slopes: list[Row] = []
    for view in [view for view in here if view in against]:
        pair = here[view], against[view]
        check_pair(pair)
        exposed = {"tokens": tokens, "tokens_against": tokens_against, "log10_ratio": ratio}
        cells.extend({"view": view, **row} for row in difference_rows(pair, exposed))
        slopes.extend({"view": view, **row} for row in slope_rows(pair, trained, ratio.dropna(), seed))
    write_csv(out, pd.DataFrame(cells, columns=list(COLUMNS)))
    write_csv(slopes_path, pd.DataFrame(slopes, columns=list(SLOPES)))


def check_pair(pair: Pair) -> None:
    """Raise `UserError` if the two experiments have different numbers of replicates."""
    here, against = (scores.resamples for scores in pair)
    if here != against:
        raise UserError(
            f"intervention: this experiment has {here} replicates, the other experiment {against}. Use the "
            "same values of `score` and `seed` in both configs, and run both again"
        )


def difference_rows(pair: Pair, exposed: Mapping[str, pd.Series]) -> Iterator[Row]:
    """Yield the difference of each cell in both experiments, with the language's exposure in both."""
    here, against = pair
    for mixture, language in here.cells:
        cell = (mixture, language)
        if cell in against:
            scores = {"score": here.of(*cell)[0], "score_against": against.of(*cell)[0]}
            difference = estimate(here.of(*cell) - against.of(*cell), "difference")
            known = {name: values.get(language) for name, values in exposed.items()}
            yield {
                "mixture": mixture,
                "test_language": language,
                "n": here.posts[cell],
                **scores,
                **difference,
                **known,
            }


def slope_rows(pair: Pair, trained: Sequence[str], ratio: pd.Series, seed: int) -> Iterator[Row]:
    """Yield mixture, languages and slope, with its interval.

    ratio: log10 of the ratio of the two exposures, by language; languages without a ratio are left out.
    """
    here, against = pair
    both = [mixture for mixture in here.mixtures if mixture in against.mixtures]
    groups = {mixture: [mixture] for mixture in both} | {"trained": [name for name in both if name in trained]}
    for name, mixtures in groups.items():
        languages = [
            language
            for language in here.languages
            if language in ratio.index and all(_is_ranked_in((mixture, language), pair) for mixture in mixtures)
        ]
        if mixtures and len(languages) >= MIN_LANGUAGES:
            difference = _mean_difference(pair, mixtures, languages)
            slopes = sample_slopes(ratio[languages].to_numpy(float), difference, seed)
            if np.isnan(slopes[0]):  # the ratio of exposures is the same for all languages
                continue
            yield {"mixture": name, "languages": len(languages), **estimate(slopes, "slope")}


def sample_slopes(x: Floats, sampled: Floats, seed: int) -> Floats:
    """Return the slopes for the observed values (first) and for each replicate, on languages drawn with replacement.

    x: shape (languages,). sampled: (1 + resamples, languages), the observed values first. Draws in which x does not
    vary have no slope and are left out.
    """
    drawn = np.random.default_rng(seed).integers(len(x), size=(len(sampled) - 1, len(x)))
    rows = np.vstack([np.arange(len(x)), drawn])
    xs, ys = x[rows], np.take_along_axis(sampled, rows, axis=1)
    xs = xs - xs.mean(axis=1, keepdims=True)
    spread = (xs**2).sum(axis=1)
    slopes = np.divide((xs * ys).sum(axis=1), spread, out=np.full(len(xs), np.nan), where=spread > 1e-12)
    return np.concatenate([slopes[:1], slopes[1:][~np.isnan(slopes[1:])]])


def _mean_difference(pair: Pair, mixtures: Sequence[str], languages: Sequence[str]) -> Floats:
    here, against = (
        np.stack([scores.mean([(mixture, language) for mixture in mixtures]) for language in languages], axis=1)
        for scores in pair
    )
    difference: Floats = here - against
    return difference


def _is_ranked_in(cell: tuple[str, str], pair: Pair) -> bool:
    return all(cell in scores and scores.ranked[cell] for scores in pair)


def _pretraining_tokens(exposure_path: str | Path) -> pd.Series:
    exposure = read_table(exposure_path)
    return exposure.drop_duplicates("language").set_index("language")["pretraining_tokens"].astype(float)
