"""Drop duplicate posts: within a part the first is kept, between parts the copy in test, then the one in dev."""

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from babelgrid.posts.near import NearIndex
from babelgrid.posts.rejects import Drop, Reason

EXACT, NEAR, SOURCE = "exact", "near", "source"
REASONS: dict[str, dict[str | None, Reason]] = {
    EXACT: {None: Reason.DUPLICATE, "dev": Reason.COPY_OF_DEV, "test": Reason.COPY_OF_TEST},
    NEAR: {None: Reason.NEAR_DUPLICATE, "dev": Reason.NEAR_COPY_OF_DEV, "test": Reason.NEAR_COPY_OF_TEST},
    SOURCE: {"dev": Reason.SOURCE_OF_DEV, "test": Reason.SOURCE_OF_TEST},
}
PART_ORDER = {"test": 0, "dev": 1, "train": 2}
# A word in another script may follow without a space (`@user님`, `http입니다`).
PLACEHOLDERS = re.compile(r"@user(?![A-Za-z0-9_])|(?<![A-Za-z0-9_])http(?![A-Za-z0-9_])")


def drop_copies(posts: pd.DataFrame, near: float | None) -> tuple[pd.DataFrame, list[Drop]]:
    """Drop the copies of a post within its language: exact ones and those of Jaccard similarity `near` or more.

    Similarity is the exact Jaccard similarity of the sets of character 5-grams, and no pair is missed. Case, handles
    and links are ignored. If `split` is None for all posts, they form one part.
    """
    drops = [drop for _, group in posts.groupby("language") for drop in _copies(_by_part(group), near)]
    return _without(posts, drops), drops


def drop_shared_sources(posts: pd.DataFrame) -> tuple[pd.DataFrame, list[Drop]]:
    """Drop train (and dev) posts whose `source_id` is also in test (or dev), in any language."""
    drops = []
    kept: dict[str, tuple[str, str]] = {}
    sourced = _by_part(posts[posts["source_id"].notna()])
    for row in _rows(sourced):
        part, twin = kept.setdefault(row.source_id, (row.split, row.id))
        if part != row.split:
            drops.append(_drop(row, REASONS[SOURCE][part], twin))
    return _without(posts, drops), drops


def comparison_key(text: str) -> str:
    """Return the key by which clean texts are compared: without case, handles, links and invisible characters."""
    stripped = PLACEHOLDERS.sub(" ", text.casefold())
    visible = "".join(character for character in stripped if character.isprintable() or character.isspace())
    return " ".join(visible.split()) or text


def _copies(posts: pd.DataFrame, near: float | None) -> Iterator[Drop]:
    """Yield the posts that repeat a kept post. posts: in order of precedence, see `_by_part`."""
    keys = posts["text"].map(comparison_key)
    index = NearIndex(near, keys) if near is not None else None
    stays: dict[str, int] = {}
    for number, (row, key) in enumerate(zip(_rows(posts), keys, strict=True)):
        similar = key if key in stays or index is None else index.find_or_add(key)
        twin = stays.setdefault(key if similar is None else similar, number)
        if twin != number:
            kind = EXACT if similar == key else NEAR
            yield _drop(row, _reason(row.split, posts["split"].iloc[twin], kind), posts["id"].iloc[twin])


def _reason(part: str | None, part_of_twin: str | None, kind: str) -> Reason:
    return REASONS[kind][part_of_twin if part_of_twin != part else None]


def _by_part(posts: pd.DataFrame) -> pd.DataFrame:
    """Sort posts so that the copy to keep comes first: test, dev, train, each in file order."""
    return posts.sort_values("split", key=lambda parts: parts.map(PART_ORDER), kind="stable")


def _rows(posts: pd.DataFrame) -> Iterator[Any]:
    yield from posts.itertuples()


def _drop(row: Any, reason: Reason, twin: str) -> Drop:
    return Drop(row.file, row.line, reason, row.id, row.language, row.split, row.label, twin)


def _without(posts: pd.DataFrame, drops: list[Drop]) -> pd.DataFrame:
    return posts[~posts["id"].isin({drop.id for drop in drops})]
