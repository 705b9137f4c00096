"""Write the answer to the page's question, in five sentences generated from the numbers."""

import numpy as np
import pandas as pd

from babelgrid.analysis.bootstrap.intervals import percentile_interval
from babelgrid.analysis.bootstrap.replicates import replicates_of
from babelgrid.analysis.exposure.exposure import exposure_of_languages, seen_cells
from babelgrid.analysis.exposure.shares import describe_quantity
from babelgrid.analysis.exposure.trend import MIN_LANGUAGES, rank_correlations, spearman
from babelgrid.analysis.scores.merged import merge_scores
from babelgrid.analysis.scores.metrics import Metric
from babelgrid.display.order import language_name
from babelgrid.figures.style import METRIC_NAMES, decimal
from babelgrid.mixture import is_merged, is_rival
from babelgrid.types import Floats

_RESAMPLES = 1000


def answer(
    cells: pd.DataFrame,
    exposure: pd.DataFrame,
    scores: pd.DataFrame | None,
    replicates: pd.DataFrame | None,
    *,
    metric: Metric,
    table: str,
    seed: int,
) -> dict[str, list[str]]:
    """Return view -> five sentences: what was tested, donors, transfer, the best mixture, exposure.

    Rows that were merged from adapters are left out, and so are rivals, which have their own sentences (see
    `report.other_systems`). If the grid lacks the data for a sentence, the sentence says so. scores: scores.csv; cells
    that are not ranked there are not compared with others. replicates: as returned by `replicates.read_replicates`;
    without them, means have no intervals over posts and seeds. seed: seed of the bootstrap over languages.
    """
    others = cells["mixture"].map(lambda name: is_merged(name) or is_rival(name)).astype(bool)
    means = merge_scores(cells[~others], scores, metric).dropna(subset="score")
    seen = seen_cells(exposure)
    shares = exposure_of_languages(exposure, table)
    means = means.assign(seen=_is_seen(means, seen))
    return {
        str(view): _sentences(own, seen, _of_view(replicates, str(view)), shares, metric, table, seed)
        for view, own in means.groupby("view", sort=False)
    }


def _sentences(
    cells: pd.DataFrame,
    seen: set[tuple[str, str]],
    replicates: pd.DataFrame | None,
    shares: pd.Series,
    metric: Metric,
    table: str,
    seed: int,
) -> list[str]:
    ranked = cells[cells["ranked"]]
    name = METRIC_NAMES[metric]
    return [
        _describe_grid(cells),
        _describe_donors(ranked, seen, name, replicates),
        _describe_transfer(ranked, seen),
        _describe_best_mixture(ranked, name, replicates),
        _describe_exposure(ranked, shares, describe_quantity(table), np.random.default_rng(seed)),
    ]


def _is_seen(cells: pd.DataFrame, seen: set[tuple[str, str]]) -> list[bool]:
    return [pair in seen for pair in zip(cells["mixture"], cells["test_language"], strict=True)]


def _describe_grid(cells: pd.DataFrame) -> str:
    mixtures, languages = cells["mixture"].nunique(), cells["test_language"].nunique()
    seeds = int(cells["seeds"].max())
    low, high = int(cells["n"].min()), int(cells["n"].max())
    posts = f"{low}" if low == high else f"{low} to {high}"
    return (
        f"{_count(mixtures, 'mixture')} of languages {'was' if mixtures == 1 else 'were'} tested on "
        f"{_count(languages, 'language')} with {posts} posts each, over {_count(seeds, 'seed')}."
    )


def _describe_donors(
    cells: pd.DataFrame, seen: set[tuple[str, str]], metric: str, replicates: pd.DataFrame | None
) -> str:
    """Compare mixtures of one language by their mean over languages that none was trained on, or over all unseen."""
    held = pd.Series([name for name, _ in seen]).value_counts() if seen else pd.Series(dtype=int)
    single = cells[cells["mixture"].map(held).eq(1) & ~cells["mixture"].str.contains("@")]
    elsewhere = single[~single["seen"]]
    if elsewhere["mixture"].nunique() < 2:
        return "Which language gives most to the others cannot be determined: fewer than two were trained on alone."
    common = elsewhere.groupby("test_language")["mixture"].nunique() == elsewhere["mixture"].nunique()
    shared = elsewhere[elsewhere["test_language"].isin(common.index[common])]
    compared, where = (shared, "that none of them was trained on") if len(shared) else (elsewhere, "not trained on")
    donors = compared.groupby("mixture")["score"].mean().sort_values(ascending=False, kind="stable")
    targets = compared["test_language"].nunique()
    first, last = (_interval_of_mean(compared[compared["mixture"] == donors.index[end]], replicates) for end in (0, -1))
    return (
        f"Of {len(donors)} languages trained on alone, {_named(donors.index[0])} gives most to the others (mean "
        f"{metric} {decimal(donors.iloc[0])}{first} over {_count(targets, 'language')} {where}) and "
        f"{_named(donors.index[-1])} least ({decimal(donors.iloc[-1])}{last})."
    )


def _describe_transfer(cells: pd.DataFrame, seen: set[tuple[str, str]]) -> str:
    trained = cells[cells["mixture"].isin({name for name, _ in seen})].dropna(subset="baseline")
    parts = []
    for inside, words in ((False, "languages outside the mixture"), (True, "languages in the mixture")):
        group = trained[trained["seen"] == inside]
        if len(group):
            parts.append(f"{int((group['score'] > group['baseline']).sum())} of {len(group)} cells for {words}")
    if not parts:
        return "Whether anything transfers cannot be determined: no trained mixture has a baseline."
    return f"Fine-tuned models score above the better baseline in {' and in '.join(parts)}."


def _describe_best_mixture(cells: pd.DataFrame, metric: str, replicates: pd.DataFrame | None) -> str:
    if cells.empty:
        return "There is no best mixture: no cell has enough posts to be ranked."
    whole = cells.groupby("mixture")["test_language"].nunique() == cells["test_language"].nunique()
    complete = cells[cells["mixture"].isin(whole.index[whole])]
    if complete.empty:
        return "There is no best mixture: no mixture has a score in every language."
    mixtures = complete.groupby("mixture")["score"]
    mean, worst = mixtures.mean(), mixtures.min()
    best, safest = str(mean.idxmax()), str(worst.idxmax())
    weakest = complete[complete["mixture"] == best].sort_values("score", kind="stable").iloc[0]
    own = complete[complete["mixture"] == best]
    interval = _interval_of_mean(own, replicates)
    also = "which is also the highest minimum" if best == safest else f"the highest minimum is that of {safest}"
    return (
        f"The highest mean {metric} over {_count(len(own), 'language')} is that of {best}, "
        f"{decimal(mean[best])}{interval}; its weakest language is "
        f"{_named(weakest['test_language'])} with {decimal(weakest['score'])}, {also}"
        f"{'' if best == safest else f', {decimal(worst[safest])}'}."
    )


def _of_view(replicates: pd.DataFrame | None, view: str) -> pd.DataFrame | None:
    """Return the replicates of one view, indexed by mixture and test language."""
    if replicates is None or view not in replicates.index.get_level_values("view"):
        return None
    return replicates_of(replicates).loc[[view]].droplevel("view")


def _interval_of_mean(cells: pd.DataFrame, replicates: pd.DataFrame | None) -> str:
    """Return ` [low, high]`: the 95% percentile interval, over posts and seeds, of the mean score of these cells."""
    if replicates is None:
        return ""
    place = pd.MultiIndex.from_frame(cells[["mixture", "test_language"]])
    low, high = percentile_interval(replicates.reindex(place).to_numpy(float).mean(axis=0))
    return f" [{decimal(float(low))}, {decimal(float(high))}]"


def _describe_exposure(cells: pd.DataFrame, shares: pd.Series, quantity: str, generator: np.random.Generator) -> str:
    if cells.empty:
        return "The effect of pre-training exposure cannot be determined: no cell has enough posts to be ranked."
    mixture = str(cells.groupby("mixture")["score"].mean().idxmax())
    points = cells[cells["mixture"] == mixture].assign(share=cells["test_language"].map(shares))
    known = points[points["share"] > 0]
    rho = spearman(known["share"].to_numpy(), known["score"].to_numpy())
    if len(known) < MIN_LANGUAGES or np.isnan(rho):
        return (
            f"The effect of pre-training exposure cannot be determined: exposure is known for "
            f"{_count(len(known), 'language')} only."
        )
    low, high = spearman_interval(known["share"].to_numpy(), known["score"].to_numpy(), generator)
    sure = "goes up with" if low > 0 else "goes down with" if high < 0 else "may or may not depend on"
    return (
        f"In the mixture {mixture} the score {sure} the {quantity.removesuffix(', %')}: Spearman's correlation is "
        f"{decimal(rho)} (95% interval {decimal(low)} to {decimal(high)}) over {len(known)} languages of known "
        f"exposure."
    )


def spearman_interval(exposure: Floats, score: Floats, generator: np.random.Generator) -> tuple[float, float]:
    """Return the 95% percentile interval of Spearman's correlation over resampled languages (Efron 1979).

    Resamples in which exposure or score does not vary have no correlation and are left out.
    """
    drawn = generator.integers(len(score), size=(_RESAMPLES, len(score)))
    low, high = np.nanquantile(rank_correlations(exposure[drawn], score[drawn]), [0.025, 0.975])
    return float(low), float(high)


def _named(code: str) -> str:
    return f"{language_name(code)} ({code})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
