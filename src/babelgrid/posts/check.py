"""Check that the posts meet the needs of the grid, before anything is trained.

The counts contain nothing about the grid, so adding a mixture leaves every file made from them up to date. They are
compared with the needs of the whole grid by each job that trains or scores, before it begins.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from babelgrid.errors import UserError
from babelgrid.mixture import Mixture, Needs, Translations
from babelgrid.posts.extract import digest_rows, in_translation
from babelgrid.posts.sample import count_posts
from babelgrid.posts.schema import PARTS, TRANSLATION
from babelgrid.runtime.files import read_json, read_parquet, write_folder, write_json

TRANSLATED = "translated"
"""Folder, within that of the counts, of the records of posts in translation."""
Counts = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Part -> language -> label -> number of posts."""


def count_labels(posts_path: Path, needs: Needs, out: Path) -> None:
    """Write one file per language with its number of posts by part and label, and a digest of its rows.

    If the posts have translations, `translated/<language>.json` has the digest of the rows in translation and, by part,
    the number of posts without one. A file depends only on the rows of its language. Raises `UserError` if the posts do
    not meet the needs of the grid.
    """
    posts = read_parquet(posts_path)
    found = {str(language): _describe(rows) for language, rows in posts.groupby("language")}
    by_language = posts.groupby("language") if TRANSLATION in posts else ()
    translated = {str(language): _describe_translations(rows) for language, rows in by_language}
    _check(_by_part(found), needs)
    _check_translations(translated, needs.translations)

    def fill(folder: Path) -> None:
        for language, record in found.items():
            write_json(folder / f"{language}.json", record)
        # Apart from the counts, so that translations rerun only the jobs that read them.
        for language, record in translated.items():
            write_json(folder / f"{TRANSLATED}/{language}.json", record)

    write_folder(out, fill)


def check_counts(folder: Path, needs: Needs) -> None:
    """Compare the counts of posts with the needs of the grid.

    Raises `UserError`, with one line per mistake, if a language lacks train or test posts that the grid needs, if a
    label is missing from a mixture's train posts, or if a mixture asks for more posts than the data has; or if a post
    that a row reads in translation has none.
    """
    _check(_read(folder), needs)
    if needs.translations:
        _check_translations(_records_in(folder / TRANSLATED), needs.translations)


def check_posts(folder: Path, needs: Needs, out: Path) -> None:
    """Run `check_counts`, then write the number of posts that each trained mixture takes, by language."""
    counts = _read(folder)
    check_counts(folder, needs)
    available = _totals(counts, "train")
    trained = [mixture for mixture in needs.mixtures if mixture.is_trained]
    write_json(out, {mixture.name: count_posts(mixture, available, needs.budget) for mixture in trained})


def _describe(rows: pd.DataFrame) -> dict[str, Any]:
    parts: dict[str, dict[str, int]] = {}
    sizes = rows.groupby(["split", "label"]).size().reset_index(name="posts")
    for part, label, number in sizes.itertuples(index=False, name=None):
        parts.setdefault(str(part), {})[str(label)] = int(number)
    return {"posts": parts, "rows": digest_rows(rows)}


def _describe_translations(rows: pd.DataFrame) -> dict[str, Any]:
    missing = rows.loc[rows[TRANSLATION].isna(), "split"].value_counts()
    return {"missing": {part: int(missing.get(part, 0)) for part in PARTS}, "rows": digest_rows(in_translation(rows))}


def _check_translations(translated: Mapping[str, Mapping[str, Any]], needed: Translations | None) -> None:
    """Raise `UserError`, with one line per language and part, if posts that rows read in translation have none."""
    parts = {"train": needed.train, "test": needed.test} if needed else {}
    mistakes = [
        f"posts: {missing} {part} posts in {language!r} have no translation into {needed.pivot!r} (column "
        f"{needed.column!r}, rivals.translate). Add the translations, or leave the language out of these rows "
        f"(rivals.mixtures, languages.test, rivals.translate.{part}: false)"
        for part, languages in parts.items()
        for language in languages
        if needed and language in translated and (missing := translated[language]["missing"][part])
    ]
    if mistakes:
        raise UserError("\n".join(mistakes))


def _read(folder: Path) -> Counts:
    return _by_part(_records_in(folder))


def _records_in(folder: Path) -> dict[str, Any]:
    return {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}


def _by_part(found: Mapping[str, Mapping[str, Any]]) -> Counts:
    return {
        part: {language: record["posts"][part] for language, record in found.items() if part in record["posts"]}
        for part in PARTS
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
