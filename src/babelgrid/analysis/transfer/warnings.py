"""List warnings about an experiment's data that affect the interpretation of its scores."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from babelgrid.analysis.tables import read_table
from babelgrid.improbable import median_if_improbable
from babelgrid.mixture import is_merged, is_rival
from babelgrid.runtime.files import read_parquet, write_csv
from babelgrid.types import Row

MAX_CLASS_SHARE = 0.85
"""Share of one class above which a cell is degenerate."""
MAX_SIZE_RATIO = 1.1
"""Ratio of the largest to the smallest mixture (in posts) above which size and language count as confounded."""
COLUMNS = ("kind", "where", "count", "warning")


def list_warnings(
    *,
    posts: Mapping[str, str | Path],
    scores_path: str | Path,
    label_bias_path: str | Path,
    exposure_path: str | Path,
    untuned: Mapping[str, str | Path],
    out: str | Path,
) -> None:
    """Write warnings.csv: kind, where, count, warning. The table is empty if there are no warnings.

    posts: test language -> posts file. untuned: test language -> predictions of the untuned base; empty if the grid has
    none. Kinds: leak (train posts in the test split), degenerate (one class has more than
    85% of a cell's gold labels or predictions), confounded (mixtures differ in size as well as in languages), one_seed
    (intervals do not cover seed variance), small (cells below the minimum number of posts), improbable (the untuned
    base gives every answer a low probability).
    """
    rows = [
        *warn_about_leaks(posts),
        *warn_about_degenerate_cells(read_table(label_bias_path)),
        *warn_about_sizes(read_table(exposure_path)),
        *warn_about_seeds_and_small_cells(read_table(scores_path)),
        *warn_about_improbable_answers(untuned),
    ]
    write_csv(out, pd.DataFrame(rows, columns=list(COLUMNS)))


def warn_about_leaks(posts: Mapping[str, str | Path]) -> Iterator[Row]:
    """Warn about test posts with the id or text (ignoring case and spaces) of a train post in the same language."""
    for language, path in posts.items():
        frame = read_parquet(path, ["id", "text", "split"])
        texts = frame["text"].str.casefold().str.split().str.join(" ")
        is_train, is_test = frame["split"] == "train", frame["split"] == "test"
        leaked = is_test & (texts.isin(texts[is_train]) | frame["id"].isin(frame.loc[is_train, "id"]))
        if leaked.any():
            count = int(leaked.sum())
            yield _row("leak", language, count, f"{count} of {int(is_test.sum())} test posts are also train posts")


def warn_about_degenerate_cells(label_bias: pd.DataFrame) -> Iterator[Row]:
    """Warn about test languages with almost only one class, and about mixtures that almost always predict one class."""
    gold = label_bias[label_bias["gold_share"] > MAX_CLASS_SHARE].drop_duplicates(["view", "test_language", "class"])
    for cell in gold.to_dict("records"):
        name = cell["class"]
        text = f"{cell['gold_share']:.0%} of the gold labels are {name}; always predicting {name} gives this accuracy"
        yield _row("degenerate", f"{cell['view']}: {cell['test_language']}", int(cell["n"]), text)
    is_predicted, is_gold = (label_bias[f"{kind}_share"] > MAX_CLASS_SHARE for kind in ("predicted", "gold"))
    for (view, mixture), cells in label_bias[is_predicted & ~is_gold].groupby(["view", "mixture"], sort=False):
        languages = ", ".join(cells["test_language"].unique())
        text = f"more than {MAX_CLASS_SHARE:.0%} of the answers are the same class in {languages}"
        yield _row("degenerate", f"{view}: {mixture}", cells["test_language"].nunique(), text)


def warn_about_sizes(exposure: pd.DataFrame) -> Iterator[Row]:
    """Warn if trained mixtures differ in size as well as in languages."""
    others = exposure["mixture"].map(lambda name: is_merged(name) or is_rival(name)).astype(bool)
    own = exposure[~others]
    sizes = own.groupby("mixture", sort=False)["finetune_posts"].sum()
    trained = sizes[sizes > 0]
    if len(trained) > 1 and trained.max() > MAX_SIZE_RATIO * trained.min():
        text = (
            f"mixtures have from {trained.min():.0f} ({trained.idxmin()}) to {trained.max():.0f} ({trained.idxmax()}) "
            f"train posts: effects of language and size are confounded. To separate them, set mixtures.budget: equal"
        )
        yield _row("confounded", "mixtures", len(trained), text)


def warn_about_seeds_and_small_cells(scores: pd.DataFrame) -> Iterator[Row]:
    """Warn about trained mixtures with one seed, and about cells with too few posts to be ranked."""
    single = scores[(scores["seeds"] == 1) & (scores["mixture"] != "none")]["mixture"].unique()
    if len(single):
        text = "one seed only: the intervals cover sampling of posts, not seed variance"
        yield _row("one_seed", ", ".join(single), len(single), text)
    small = scores[~scores["ranked"].astype(bool)]
    for view, cells in small.groupby("view", sort=False):
        languages = cells["test_language"].unique()
        text = "too few posts to be ranked (score.min_posts)"
        yield _row("small", f"{view}: {', '.join(languages)}", len(languages), text)


def warn_about_improbable_answers(untuned: Mapping[str, str | Path]) -> Iterator[Row]:
    """Warn if no answer is probable after the prompt for the untuned base: its scores then say little about it."""
    found = {}
    for language, path in untuned.items():
        predictions = read_parquet(path)
        median = median_if_improbable(predictions.filter(like="logp_").to_numpy())
        if median is not None:
            found[language] = median
    if found:
        text = (
            f"the untuned base finds every answer improbable: the median log-probability of a post's best answer is "
            f"{max(found.values()):.1f} nats at most. The log of predict/none names the tokens that it prefers. Choose "
            f"answers that the prompt leads to"
        )
        yield _row("improbable", f"none: {', '.join(found)}", len(found), text)


def _row(kind: str, where: str, count: int, warning: str) -> Row:
    return {"kind": kind, "where": where, "count": count, "warning": warning}
