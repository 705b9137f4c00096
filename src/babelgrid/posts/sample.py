"""Sample the train posts of a mixture."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from babelgrid.errors import UserError
from babelgrid.mixture import Mixture
from babelgrid.posts.identifiers import seeded_rank
from babelgrid.runtime.files import read_parquet


def sample_posts(train: Mapping[str, pd.DataFrame], mixture: Mixture, seed: int, budget: int | None) -> pd.DataFrame:
    """Return the posts that a mixture is trained on: id, language, text, label, grouped by language.

    train: the train posts (at least id, text, label) of each language of the mixture.
    budget: total number of posts, divided between the languages; None takes every post (and the dose).
    Each language has one order per seed, and a mixture takes the first posts in it. A larger dose therefore contains
    the smaller ones, and mixtures differ only in their composition. Raises `UserError` if there are too few posts.
    """
    wanted = count_posts(mixture, {language: len(posts) for language, posts in train.items()}, budget)
    taken = [
        _in_order(train[language], seed).head(count).assign(language=language) for language, count in wanted.items()
    ]
    columns = ["id", "language", "text", "label"]
    return pd.concat([frame[columns] for frame in taken], ignore_index=True) if taken else pd.DataFrame(columns=columns)


def count_posts(mixture: Mixture, available: Mapping[str, int], budget: int | None) -> dict[str, int]:
    """Return how many of the available train posts a mixture takes, by language; `UserError` if there are too few."""
    wanted = mixture.posts_per_language(dict(available), budget)
    for language, count in wanted.items():
        if count < 0:
            raise UserError(
                f"mixture {mixture.name!r}: the dose of {mixture.dose} posts is larger than the budget of {budget}"
            )
        if count > available[language]:
            raise UserError(
                f"mixture {mixture.name!r}: asks for {count} train posts in {language!r}, but the data has "
                f"{available[language]}. Lower mixtures.posts or the dose, or add posts"
            )
    return wanted


def read_train_posts(paths: Mapping[str, str | Path]) -> dict[str, pd.DataFrame]:
    """Read the train posts of each language from its posts file."""
    posts = {language: read_parquet(path) for language, path in paths.items()}
    return {language: rows[rows["split"] == "train"].reset_index(drop=True) for language, rows in posts.items()}


def _in_order(posts: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Shuffle posts so that every prefix has nearly the same label proportions as all posts.

    The k-th of a label's n posts (in seeded order) is placed at position (k - 1/2) / n of the sequence.
    """
    if "split" in posts and (posts["split"] != "train").any():
        raise ValueError("sample_posts takes train posts only")
    ranked = posts.assign(rank=[seeded_rank(seed, identifier) for identifier in posts["id"]]).sort_values("rank")
    by_label = ranked.groupby("label")
    ranked["place"] = (by_label.cumcount() + 0.5) / by_label["id"].transform("size")
    return ranked.sort_values("place", kind="stable")
