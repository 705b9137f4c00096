"""One language's posts in a file of their own, so that a job depends on the languages it uses and no others."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from babelgrid.errors import UserError
from babelgrid.files import provenance, read_parquet, write_parquet

COLUMNS = ["id", "text", "label", "split", "group", "source_id"]


def extract_language(  # noqa: PLR0913, PLR0917 (all the inputs and outputs of the stage)
    posts_path: Path, language: str, labels: Sequence[str], needs_train: bool, needs_test: bool, out: Path
) -> None:
    """Write the posts of one language (id, text, label, split, group, source_id) to `out`.

    Raises `UserError` if the grid trains on the language and it has no train posts, or none of one of the labels; or if
    the grid tests on it and it has no test posts.
    """
    posts = read_parquet(posts_path)
    if needs_train:
        _need_posts(posts, language, "train")
        _need_every_label(posts, language, labels)
    if needs_test:
        _need_posts(posts, language, "test")
    settings = {"language": language, "labels": list(labels), "needs_train": needs_train, "needs_test": needs_test}
    own = posts.loc[posts["language"] == language, COLUMNS].reset_index(drop=True)
    write_parquet(out, own, provenance(settings, [posts_path]))


def _need_posts(posts: pd.DataFrame, language: str, part: str) -> None:
    counts = posts.loc[posts["split"] == part, "language"].value_counts().sort_index()
    if language not in counts:
        there_are = ", ".join(f"{name} {count}" for name, count in counts.items()) or "none in any language"
        raise UserError(
            f"posts: no {part} posts in {language!r}, which languages.{part} asks for. There are {part} posts in: "
            f"{there_are}. Add posts or take {language!r} out of languages.{part}"
        )


def _need_every_label(posts: pd.DataFrame, language: str, labels: Sequence[str]) -> None:
    counts = posts.loc[(posts["language"] == language) & (posts["split"] == "train"), "label"].value_counts()
    missing = [label for label in labels if label not in counts]
    if missing:
        there_are = ", ".join(f"{label} {counts[label]}" for label in labels if label in counts)
        raise UserError(
            f"posts: no train post in {language!r} has the label {', '.join(map(repr, missing))} "
            f"(there are: {there_are}). Label such posts, take the label out of the config, "
            f"or take {language!r} out of languages.train"
        )
