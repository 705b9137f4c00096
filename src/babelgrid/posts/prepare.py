"""Turn the user's data into a table of clean posts and a table of the dropped rows."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from babelgrid.config.posts import Posts
from babelgrid.config.prompt import Label
from babelgrid.config.rivals import Translate
from babelgrid.errors import UserError
from babelgrid.posts.duplicates import drop_copies, drop_shared_sources
from babelgrid.posts.read import read_posts, source_files
from babelgrid.posts.rejects import Drop, drops_table, stop_at_first
from babelgrid.posts.schema import TRANSLATION, validate_posts
from babelgrid.posts.split import split_posts
from babelgrid.runtime.files import provenance, write_csv, write_parquet
from babelgrid.runtime.places import public_path, public_paths


def prepare_posts(
    settings: Posts,
    labels: Mapping[str, Label],
    aliases: Mapping[str, str],
    seed: int,
    posts_path: Path,
    dropped_path: Path,
    translate: Translate | None = None,
) -> None:
    """Read, clean, deduplicate and split the posts of every language in the data.

    posts_path: Parquet with id, language, text, label, split, group, source_id (the last two may be missing).
    translate: where the posts' translations are; they become a further column `translation`, cleaned like the text. A
    post in the pivot is its own translation. A missing translation is an error only if a row needs it (`check_counts`).
    dropped_path: CSV of the dropped rows: their location, the reason, and the post that was kept instead.
    Raises `UserError` at the first mistake in the data unless `posts.on_error` is `drop`. The lab's posts must be
    written to files first.
    """
    posts, mistakes = read_posts(settings, labels, aliases, translate)
    if settings.on_error == "fail":
        stop_at_first(mistakes)
    if posts.empty:
        raise UserError(f"posts: none of the {len(mistakes)} rows can be used; the first: {_first(mistakes)}")
    posts, copies = _separate(posts if translate else posts.drop(columns=TRANSLATION), settings, seed)
    record = {
        "posts": settings.model_dump(mode="json"),
        "labels": {name: label.model_dump(mode="json") for name, label in labels.items()},
        "aliases": dict(aliases),
        "seed": seed,
    }
    if translate:
        record["translate"] = {"column": translate.source_column, "pivot": translate.pivot}
    sources = source_files(settings)
    names = public_paths(sources)
    dropped = drops_table([*mistakes, *copies])
    dropped["file"] = [names.get(file) or public_path(file) for file in dropped["file"]]
    write_csv(dropped_path, dropped)
    write_parquet(posts_path, validate_posts(posts, list(labels)), provenance(record, sources))


def _separate(posts: pd.DataFrame, settings: Posts, seed: int) -> tuple[pd.DataFrame, list[Drop]]:
    """Return posts in parts without shared posts: the data's own parts without leaks, or a seeded split."""
    without_part = posts["split"].isna()
    if without_part.all():
        posts, copies = drop_copies(posts, settings.duplicates.near)
        return posts.assign(split=split_posts(posts, settings.split, seed)), copies
    if without_part.any():
        raise UserError(
            f"posts: {posts.loc[without_part, 'file'].iloc[0]} gives no part for its rows, but other data does. Set "
            f"posts.columns.part, or remove the parts from all data"
        )
    posts, leaks = drop_shared_sources(posts)
    posts, copies = drop_copies(posts, settings.duplicates.near)
    return posts, [*leaks, *copies]


def _first(mistakes: list[Drop]) -> str:
    return f"{mistakes[0].reason} in {mistakes[0].file}"
