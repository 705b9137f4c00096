"""Regress correctness on exposure: are languages with less pre-training data answered worse, other things equal?

The model is a linear probability model of whether a post is answered correctly. Its coefficients are differences of
probability, which can be compared between mixtures, unlike log-odds (Mood 2010, European Sociological Review 26:67).
All regressors are constant within a mixture, test language and gold class, so weighted least squares on the counts
gives the same coefficients and cluster-robust errors as a regression on single posts.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from babelgrid.analysis.bootstrap.statistics import SampledScores, estimate, read_sampled_scores
from babelgrid.analysis.exposure.trend import MIN_LANGUAGES, rank_correlations
from babelgrid.analysis.scores.outcomes import count_outcomes
from babelgrid.analysis.tables import read_table
from babelgrid.config.analysis import View
from babelgrid.runtime.files import read_json, write_csv
from babelgrid.types import Cell, Row

EXPOSURE = "log10_exposure"
_KEY = ["mixture", "test_language", "gold"]
COLUMNS = (
    *("view", "table", "model", "term", "estimate", "low", "high", "p", "languages", "posts"),
    *("loo_low", "loo_high", "loo_language", "unknown"),
)


class Fit(NamedTuple):
    """Coefficients by term, with 95% intervals and p-values."""

    estimates: pd.Series
    low: pd.Series
    high: pd.Series
    p: pd.Series


def regress_exposure(
    predictions: Mapping[Cell, str | Path],
    *,
    exposure_path: str | Path,
    posts_report: str | Path | None,
    replicates_path: str | Path,
    views: Mapping[str, View],
    min_posts: int,
    seed: int,
    out: str | Path,
) -> None:
    """Write regression.csv: the terms of three models for each view and each table in exposure.csv.

    pooled: one slope of correctness on log10 exposure. by_mixture: one slope for each mixture. Both models also include
    mixture, gold class, seen (the mixture contains the language), log10_finetune_tokens (1 + text tokens of the
    language in the mixture) and fertility (tokens per word, if given in posts/report.json). estimate: difference in the
    probability of a correct answer, with the 95% interval and p-value from errors clustered by language. A term that is
    collinear with earlier terms has no estimate.
    spearman: rank correlation of a mixture's scores with exposure. Its interval resamples languages together with their
    replicates.
    languages, posts: numbers of languages and posts in the fit. loo_low, loo_high: range of the estimates when one
    language is left out. loo_language: the language whose omission changes the estimate most. unknown: languages whose
    exposure is unknown or 0; they are in no fit.
    """
    outcomes = count_outcomes(predictions, views)
    exposure = read_table(exposure_path)
    fertility = _fertility(posts_report)
    sampled = read_sampled_scores(replicates_path, min_posts)
    rows: list[Row] = []
    for view, own in outcomes.groupby("view", sort=False) if len(outcomes) else ():
        for column in exposure_columns(exposure):
            known = exposure_by_language(exposure, column)
            frame = design_frame(own, exposure, known, fertility)
            key = {"view": view, "table": column.split("_", 1)[1]}
            key["unknown"] = " ".join(sorted(set(own["test_language"]) - set(known.index)))
            correlations = spearman_rows(sampled[str(view)], own["mixture"].unique(), known, seed)
            rows.extend({**key, **row} for row in (*regression_rows(frame), *correlations))
    write_csv(out, pd.DataFrame(rows, columns=list(COLUMNS)))


def exposure_columns(exposure: pd.DataFrame) -> list[str]:
    """Return the columns of exposure.csv with pre-training exposure, one for each share table."""
    return [column for column in exposure.columns if column.startswith(("share_", "gigawords_"))]


def exposure_by_language(exposure: pd.DataFrame, column: str) -> pd.Series:
    """Return the exposure of all languages where it is known and above 0."""
    values = exposure.drop_duplicates("language").set_index("language")[column].astype(float)
    return values[values > 0]


def design_frame(
    outcomes: pd.DataFrame, exposure: pd.DataFrame, known: pd.Series, fertility: Mapping[str, float]
) -> pd.DataFrame:
    """Return mixture, test_language, gold, posts, right (a share), and the regressors, for the known languages.

    outcomes: rows of `count_outcomes` for one view.
    """
    counts = outcomes.groupby(_KEY, sort=False)[["posts", "right"]].sum().reset_index()
    counts = counts[(counts["posts"] > 0) & counts["test_language"].isin(known.index)]
    met = exposure[["mixture", "language", "seen", "finetune_text_tokens"]].rename(
        columns={"language": "test_language"}
    )
    frame = counts.merge(met, on=["mixture", "test_language"], how="left", validate="many_to_one")
    return frame.assign(
        right=frame["right"] / frame["posts"],
        seen=frame["seen"].fillna(False).astype(float),
        log10_finetune_tokens=np.log10(1 + frame["finetune_text_tokens"].astype(float)),
        log10_exposure=np.log10(frame["test_language"].map(known)),
        fertility=frame["test_language"].map(fertility).astype(float),
    )


def regression_rows(frame: pd.DataFrame) -> Iterator[Row]:
    """Yield the terms of the pooled model and of the model with one slope per mixture."""
    languages = frame["test_language"].unique()
    if len(languages) < MIN_LANGUAGES:
        return
    described = {"languages": len(languages), "posts": int(frame["posts"].sum())}
    for model, is_pooled in {"pooled": True, "by_mixture": False}.items():
        design = design_matrix(frame, is_pooled)
        fit = fit_clustered(frame, design)
        left_out = {language: _coefficients(*_without(frame, design, language)) for language in languages}
        for term in [name for name in design.columns if not name.startswith(("mixture[", "intercept"))]:
            row: Row = {"model": model, "term": term, **described, "estimate": fit.estimates.get(term)}
            row |= {"low": fit.low.get(term), "high": fit.high.get(term), "p": fit.p.get(term)}
            yield row | stability(row["estimate"], {name: own.get(term) for name, own in left_out.items()})


def design_matrix(frame: pd.DataFrame, is_pooled: bool) -> pd.DataFrame:
    """Return the regressors: intercept, mixtures and gold classes (without the first of each), exposure, others."""
    mixtures = pd.get_dummies(frame["mixture"], dtype=float)[frame["mixture"].unique()]
    gold = pd.get_dummies(frame["gold"], dtype=float)[frame["gold"].unique()].add_prefix("gold[").add_suffix("]")
    slopes = frame[[EXPOSURE]]
    if not is_pooled:
        slopes = mixtures.mul(frame[EXPOSURE], axis=0).add_prefix(f"{EXPOSURE}[").add_suffix("]")
    others = frame[["seen", "log10_finetune_tokens", "fertility"]].dropna(axis="columns")
    intercept = pd.Series(1.0, index=frame.index, name="intercept")
    named = mixtures.iloc[:, 1:].add_prefix("mixture[").add_suffix("]")
    return pd.concat([intercept, named, gold.iloc[:, 1:], slopes, others], axis=1)


def fit_clustered(frame: pd.DataFrame, design: pd.DataFrame) -> Fit:
    """Fit weighted least squares with errors clustered by language (CR1).

    Intervals use the t distribution with languages - 1 degrees of freedom. This is the standard sandwich estimator
    (Liang and Zeger 1986, Biometrika 73:13). With few clusters, its intervals are somewhat too narrow (Cameron, Gelbach
    and Miller 2008, Rev. Econ. Stat. 90:414). Columns that depend linearly on earlier ones are left out.
    """
    from statsmodels.api import WLS  # a slow import that only this function needs

    kept = design[independent_columns(design)]
    clusters = frame["test_language"].factorize()[0]
    model = WLS(frame["right"], kept, weights=frame["posts"])
    result = model.fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    interval = result.conf_int(alpha=0.05)
    return Fit(result.params, interval[0], interval[1], result.pvalues)


def independent_columns(design: pd.DataFrame) -> list[str]:
    """Return the columns that are not linear combinations of earlier columns."""
    values = design.to_numpy(float)
    norms = np.linalg.norm(values, axis=0)
    basis = np.empty((len(values), 0))
    kept = []
    for name, column, norm in zip(design.columns, values.T, norms, strict=True):
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)  # a second pass restores the precision lost in the first
        if np.linalg.norm(rest) > 1e-7 * max(norm, 1e-12):
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
            kept.append(name)
    return kept


def spearman_rows(scores: SampledScores, mixtures: Iterable[str], known: pd.Series, seed: int) -> Iterator[Row]:
    """Yield the rank correlation of each mixture's ranked scores with exposure, and its stability.

    The interval resamples languages (pairs bootstrap; Efron and Tibshirani 1993, section 9.5) and uses one replicate of
    the scores for each draw, so it also covers sampling of posts and seeds.
    """
    for mixture in mixtures:
        ranked = [name for name in scores.languages if (mixture, name) in scores and scores.ranked[mixture, name]]
        languages = [name for name in ranked if name in known.index]
        if len(languages) < MIN_LANGUAGES:
            continue
        sampled = np.stack([scores.of(mixture, language) for language in languages], axis=1)
        exposure = known[languages].to_numpy()
        drawn = np.random.default_rng(seed).integers(len(languages), size=(len(sampled) - 1, len(languages)))
        replicates = rank_correlations(exposure[drawn], np.take_along_axis(sampled[1:], drawn, axis=1))
        [observed] = rank_correlations(exposure[None], sampled[:1])
        posts = sum(scores.posts[mixture, language] for language in languages)
        row: Row = {"model": "spearman", "term": mixture, "languages": len(languages), "posts": posts}
        finite = replicates[~np.isnan(replicates)]
        row |= estimate(np.concatenate([[observed], finite]), "estimate") if len(finite) else {"estimate": observed}
        keep = ~np.eye(len(languages), dtype=bool)
        left_out = [rank_correlations(exposure[own][None], sampled[:1, own])[0] for own in keep]
        yield row | stability(row["estimate"], dict(zip(languages, left_out, strict=True)))


def stability(whole: float | None, left_out: Mapping[str, float | None]) -> Row:
    """Return the leave-one-out range of an estimate, and the name whose omission changes it most."""
    finite = {name: value for name, value in left_out.items() if value is not None and not np.isnan(value)}
    if whole is None or np.isnan(whole) or not finite:
        return {}
    moved = {name: abs(value - whole) for name, value in finite.items()}
    furthest = max(moved, key=lambda name: moved[name])
    return {"loo_low": min(finite.values()), "loo_high": max(finite.values()), "loo_language": furthest}


def _without(frame: pd.DataFrame, design: pd.DataFrame, language: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    stays = frame["test_language"] != language
    return frame[stays], design[stays]


def _coefficients(frame: pd.DataFrame, design: pd.DataFrame) -> dict[str, float]:
    kept = independent_columns(design)
    weight = np.sqrt(frame["posts"].to_numpy(float))
    solution = np.linalg.lstsq(design[kept].to_numpy(float) * weight[:, None], frame["right"] * weight, rcond=None)[0]
    return dict(zip(kept, map(float, solution), strict=True))


def _fertility(posts_report: str | Path | None) -> Mapping[str, float]:
    """Return tokens per word by language; empty if there is no posts report."""
    counted: Mapping[str, Mapping[str, float]] = read_json(posts_report)["tokens"] if posts_report else {}
    return {language: own["per_word"] for language, own in counted.items()}
