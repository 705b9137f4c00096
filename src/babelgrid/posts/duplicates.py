"""The same post twice: within a part the first stays, between parts the copy in test, then in dev."""

import re
import zlib
from collections.abc import Iterator
from typing import Any

import pandas as pd
from datasketch import MinHash, MinHashLSH

from babelgrid.posts.drops import Drop, Reason

SHINGLE = 5
PERMUTATIONS = 128
LSH_MARGIN = 0.1

EXACT, NEAR, SOURCE = "exact", "near", "source"
REASONS: dict[str, dict[str | None, Reason]] = {
    EXACT: {None: Reason.DUPLICATE, "dev": Reason.COPY_OF_DEV, "test": Reason.COPY_OF_TEST},
    NEAR: {None: Reason.NEAR_DUPLICATE, "dev": Reason.NEAR_COPY_OF_DEV, "test": Reason.NEAR_COPY_OF_TEST},
    SOURCE: {"dev": Reason.SOURCE_OF_DEV, "test": Reason.SOURCE_OF_TEST},
}
PART_ORDER = {"test": 0, "dev": 1, "train": 2}
# A word of another script may follow without a space (`@user님`, `http입니다`).
PLACEHOLDERS = re.compile(r"@user(?![A-Za-z0-9_])|(?<![A-Za-z0-9_])http(?![A-Za-z0-9_])")


def drop_copies(posts: pd.DataFrame, near: float | None) -> tuple[pd.DataFrame, list[Drop]]:
    """Drop the copies of a post within its language, exact ones and those of Jaccard similarity `near` or more.

    Similarity is that of the sets of character 5-grams. Case, handles and links do not count. `split` may be None
    throughout: then all posts are of one part.
    """
    drops = [drop for _, group in posts.groupby("language") for drop in _copies(_by_part(group), near)]
    return _without(posts, drops), drops


def drop_shared_sources(posts: pd.DataFrame) -> tuple[pd.DataFrame, list[Drop]]:
    """Drop train (and dev) posts whose `source_id` is also in test (or dev), in whatever language."""
    drops = []
    kept: dict[str, tuple[str, str]] = {}
    sourced = _by_part(posts[posts["source_id"].notna()])
    for row in _rows(sourced):
        part, twin = kept.setdefault(row.source_id, (row.split, row.id))
        if part != row.split:
            drops.append(_drop(row, REASONS[SOURCE][part], twin))
    return _without(posts, drops), drops


def comparison_key(text: str) -> str:
    """Return what is compared of a clean text: no case, no handles, no links, no invisible characters."""
    stripped = PLACEHOLDERS.sub(" ", text.casefold())
    visible = "".join(character for character in stripped if character.isprintable() or character.isspace())
    return " ".join(visible.split()) or text


def _copies(posts: pd.DataFrame, near: float | None) -> Iterator[Drop]:
    """Yield the posts that repeat one that stays. Posts come in the order in which they may stay."""
    index = NearIndex(near) if near is not None else None
    stays: dict[str, Any] = {}
    for row, key in zip(_rows(posts), posts["text"].map(comparison_key), strict=True):
        if key in stays:
            yield _drop(row, _reason(row.split, stays[key].split, EXACT), stays[key].id)
        elif index and (similar := index.find(key)):
            yield _drop(row, _reason(row.split, stays[similar].split, NEAR), stays[similar].id)
        else:
            stays[key] = row
            if index:
                index.add(key)


class NearIndex:
    """The keys of the posts that stay, to be searched for near-copies.

    MinHash signatures in a locality-sensitive index (Broder 1997, doi:10.1109/SEQUEN.1997.666900) propose candidates;
    the exact Jaccard similarity of the sets of character 5-grams decides.
    """

    def __init__(self, threshold: float) -> None:
        """Make an empty index that finds keys of Jaccard similarity `threshold` or more."""
        self._threshold = threshold
        # The index may miss a pair at its threshold, so it looks below the wanted one.
        self._index = MinHashLSH(threshold=max(threshold - LSH_MARGIN, 0.1), num_perm=PERMUTATIONS)
        self._empty = MinHash(num_perm=PERMUTATIONS, seed=1, hashfunc=zlib.crc32)

    def find(self, key: str) -> str | None:
        """Return the most similar key, of equally similar ones the first in the alphabet, or None if none is near."""
        shingles = _shingles(key)
        candidates = sorted(self._index.query(self._sketch(key)))
        similarity = {other: _jaccard(shingles, _shingles(other)) for other in candidates}
        best = max(similarity, key=similarity.__getitem__, default=None)
        return best if best is not None and similarity[best] >= self._threshold else None

    def add(self, key: str) -> None:
        """Add the key of a post that stays."""
        self._index.insert(key, self._sketch(key))

    def _sketch(self, key: str) -> MinHash:
        sketch = self._empty.copy()
        sketch.update_batch([shingle.encode() for shingle in _shingles(key)])
        return sketch


def _shingles(key: str) -> frozenset[str]:
    return frozenset(key[i : i + SHINGLE] for i in range(max(len(key) - SHINGLE, 0) + 1))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def _reason(part: str | None, part_of_twin: str | None, kind: str) -> Reason:
    return REASONS[kind][part_of_twin if part_of_twin != part else None]


def _by_part(posts: pd.DataFrame) -> pd.DataFrame:
    """Sort posts so that of two copies the one that stays comes first: test, dev, train, each in file order."""
    return posts.sort_values("split", key=lambda parts: parts.map(PART_ORDER), kind="stable")


def _rows(posts: pd.DataFrame) -> Iterator[Any]:
    yield from posts.itertuples()


def _drop(row: Any, reason: Reason, twin: str) -> Drop:
    return Drop(row.file, row.line, reason, row.id, row.language, row.split, row.label, twin)


def _without(posts: pd.DataFrame, drops: list[Drop]) -> pd.DataFrame:
    return posts[~posts["id"].isin({drop.id for drop in drops})]
