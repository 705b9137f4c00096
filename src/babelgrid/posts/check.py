"""Check that the posts meet the needs of the grid, before anything is trained.

The counts contain nothing about the grid, so adding a mixture leaves every file made from them up to date. They are
compared with the needs of the whole grid by each job that trains or scores, before it begins.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from babelgrid.errors import UserError
from babelgrid.mixture import Mixture, Needs
from babelgrid.posts.extract import digest_rows
from babelgrid.posts.sample import count_posts
from babelgrid.runtime.files import read_json, read_parquet, write_folder, write_json

Counts = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Part -> language -> label -> number of posts."""


def count_labels(posts_path: Path, needs: Needs, out: Path) -> None:
    """Write one file per language with its number of posts by part and label, and a digest of its rows.

    A file depends only on the rows of its language. Raises `UserError` if the posts do not meet the needs of the grid.
    """
    posts = read_parquet(posts_path)
    found = {str(language): _describe(rows) for language, rows in posts.groupby("language")}
    _check(_by_part(found), needs)

    def fill(folder: Path) -> None:
        for language, record in found.items():
            write_json(folder / f"{language}.json", record)

    write_folder(out, fill)


def check_counts(folder: Path, needs: Needs) -> None:
    """Compare the counts of posts with the needs of the grid.

    Raises `UserError`, with one line per mistake, if a language lacks train or test posts that the grid needs, if a
    label is missing from a mixture's train posts, or if a mixture asks for more posts than the data has.
    """
    _check(_read(folder), needs)


def check_posts(folder: Path, needs: Needs, out: Path) -> None:
    """Run `check_counts`, then write the number of posts that each trained mixture takes, by language."""
    counts = _read(folder)
    _check(counts, needs)
    available = _totals(counts, "train")
    trained = [mixture for mixture in needs.mixtures if mixture.is_trained]
    write_json(out, {mixture.name: count_posts(mixture, available, needs.budget) for mixture in trained})


def _describe(rows: pd.DataFrame) -> dict[str, Any]:
    parts: dict[str, dict[str, int]] = {}
    sizes = rows.groupby(["split", "label"]).size().reset_index(name="posts")
    for part, label, number in sizes.itertuples(index=False, name=None):
        parts.setdefault(str(part), {})[str(label)] = int(number)
    return {"posts": parts, "rows": digest_rows(rows)}


def _read(folder: Path) -> Counts:
    return _by_part({path.stem: read_json(path) for path in sorted(folder.glob("*.json"))})


def _by_part(found: Mapping[str, Mapping[str, Any]]) -> Counts:
    return {
        part: {language: record["posts"][part] for language, record in found.items() if part in record["posts"]}
        for part in ("train", "dev", "test")
    }


def _check(counts: Counts, needs: Needs) -> None:
    mistakes = [
        *_missing_languages(counts, needs.train, "train"),
        *_missing_languages(counts, needs.test, "test"),
        *_missing_labels(counts, needs.mixtures, needs.labels),
    ]
    if mistakes:
        raise UserError("\n".join(mistakes))
    for mixture in needs.mixtures:
        if mixture.is_trained:
            count_posts(mixture, _totals(counts, "train"), needs.budget)


def _missing_languages(counts: Counts, languages: Sequence[str], part: str) -> Iterator[str]:
    totals = _totals(counts, part)
    there_are = ", ".join(f"{language} {count}" for language, count in totals.items()) or "none"
    for language in languages:
        if language not in totals:
            yield (
                f"posts: no {part} posts in {language!r}, but the grid {part}s on it. Languages with {part} posts: "
                f"{there_are}. Add posts, or remove {language!r} from languages.{part}"
            )


def _missing_labels(counts: Counts, mixtures: Sequence[Mixture], labels: Sequence[str]) -> Iterator[str]:
    # A merged row has the posts of its parents, which are rows themselves.
    for mixture in [own for own in mixtures if own.is_trained]:
        parts = [counts["train"].get(language, {}) for language in mixture.languages]
        found = {label: sum(part.get(label, 0) for part in parts) for label in labels}
        there_are = ", ".join(f"{label} {number}" for label, number in found.items() if number)
        for label, number in found.items():
            if there_are and not number:
                yield (
                    f"posts: no train post of the mixture {mixture.name!r} has the label {label!r} "
                    f"(labels found: {there_are}). Add posts with this label, or remove the label or the mixture from "
                    f"the config"
                )


def _totals(counts: Counts, part: str) -> dict[str, int]:
    return {language: sum(labels.values()) for language, labels in counts[part].items()}
