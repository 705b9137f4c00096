"""Whether the posts are what the grid needs, asked once and before anything is trained."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from babelgrid.errors import UserError
from babelgrid.files import read_parquet, write_json
from babelgrid.mixture import Mixture
from babelgrid.posts.sample import count_posts


def check_posts(
    posts_path: Path,
    *,
    train: Sequence[str],
    test: Sequence[str],
    labels: Sequence[str],
    mixtures: Sequence[Mixture],
    budget: int | None,
    out: Path,
) -> None:
    """Check the posts against the grid and write how many each trained mixture takes, by language.

    train: languages that some mixture is made of; test: languages that adapters are tested on.
    Raises `UserError`, with one line for each mistake, if a language has no train or test posts where the grid needs
    them, if a label is missing from a mixture's train posts, or if a mixture asks for more posts than there are.
    """
    posts = read_parquet(posts_path)
    mistakes = [
        *_missing_languages(posts, train, "train"),
        *_missing_languages(posts, test, "test"),
        *_missing_labels(posts, mixtures, labels),
    ]
    if mistakes:
        raise UserError("\n".join(mistakes))
    available = {str(language): int(count) for language, count in _count(posts, "train").items()}
    taken = {mixture.name: count_posts(mixture, available, budget) for mixture in mixtures if mixture.is_trained}
    write_json(out, taken)


def _missing_languages(posts: pd.DataFrame, languages: Sequence[str], part: str) -> Iterator[str]:
    counts = _count(posts, part)
    there_are = ", ".join(f"{language} {count}" for language, count in counts.items()) or "none in any language"
    for language in languages:
        if language not in counts:
            yield (
                f"posts: no {part} posts in {language!r}, which the grid {part}s on. There are {part} posts in: "
                f"{there_are}. Add posts, or take {language!r} out of languages.{part}"
            )


def _missing_labels(posts: pd.DataFrame, mixtures: Sequence[Mixture], labels: Sequence[str]) -> Iterator[str]:
    train = posts[posts["split"] == "train"]
    for mixture in mixtures:
        counts = train.loc[train["language"].isin(mixture.languages), "label"].value_counts()
        there_are = ", ".join(f"{label} {counts[label]}" for label in labels if label in counts)
        for label in labels:
            if len(counts) and label not in counts:
                yield (
                    f"posts: no train post of the mixture {mixture.name!r} has the label {label!r} "
                    f"(there are: {there_are}). Label some, take the label out of the config, or take the mixture out"
                )


def _count(posts: pd.DataFrame, part: str) -> "pd.Series[int]":
    return posts.loc[posts["split"] == part, "language"].value_counts().sort_index()
