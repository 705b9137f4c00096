"""From rows as they stand in the data to clean posts with known languages, labels and parts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from babelgrid.config.posts import Columns, Posts
from babelgrid.config.prompt import Label
from babelgrid.errors import UserError, nearest
from babelgrid.posts.clean import clean, is_empty
from babelgrid.posts.drops import Drop, Reason, located, shown
from babelgrid.posts.formats import Record, Table, is_unicode, read_file
from babelgrid.posts.hub import dataset_files, read_dataset
from babelgrid.posts.meanings import Meanings
from babelgrid.posts.paths import find_files

Place = tuple[str, int]


@dataclass(frozen=True)
class Post:
    """One post, clean, as it goes into `all.parquet`; `split` is None until the seeded split."""

    file: str
    line: int
    id: str
    language: str
    split: str | None
    text: str
    label: str
    group: str | None
    source_id: str | None


def read_posts(
    settings: Posts, labels: Mapping[str, Label], aliases: Mapping[str, str]
) -> tuple[pd.DataFrame, list[Drop]]:
    """Return every usable row as a clean post, in file order (columns as in `Post`), and the rows with mistakes.

    Ids are unique over all languages: `<language>-<id>` unless the id starts so already, or `<language>-<number>`,
    counted in file order, where the data has no ids. Raises `UserError` where leaving out a row would not help:
    a file or a column is missing, a file has no rows, a language or a part is unknown.
    """
    if settings.lab:
        raise ValueError("the lab's posts must be written to files first")
    meanings = Meanings(labels, aliases, settings.parts)
    rows: Counter[str] = Counter()
    outcomes = (
        outcome for table in _tables(settings) for outcome in _read_table(table, settings.columns, meanings, rows)
    )
    posts, drops = _refuse_second_ids(outcomes)
    return pd.DataFrame([asdict(post) for post in posts], columns=list(Post.__annotations__)), drops


def source_files(settings: Posts) -> list[Path]:
    """Return the files that posts are read from (none for a dataset on the Hub)."""
    if settings.dataset:
        return dataset_files(settings.dataset)
    return [file.path for file in find_files(settings.files or [])]


def _tables(settings: Posts) -> Iterator[Table]:
    wanted = {name for name in settings.columns.model_dump().values() if name is not None}
    if settings.dataset:
        yield from read_dataset(settings.dataset, wanted)
        return
    for file in find_files(settings.files or []):
        columns, records = read_file(file.path, wanted)
        yield Table(str(file.path), columns, records, file.language, file.part)


def _read_table(table: Table, columns: Columns, meanings: Meanings, rows: Counter[str]) -> Iterator[Post | Drop]:
    """Read one table. `rows` counts the rows of each language, for ids where the data has none."""
    if not table.records:
        raise UserError(f"{table.name}: holds no rows. Take it out of the config or fill it")
    roles = _roles(table, columns)
    for record in table.records:
        yield _read_record(record, table, roles, meanings, rows)


def _roles(table: Table, columns: Columns) -> dict[str, str]:
    """Return which column plays which role; what the path says needs no column."""
    given_by_name = {"language": table.language, "part": table.part}
    declared = {role: name for role, name in columns.model_dump().items() if name is not None}
    roles = {role: name for role, name in declared.items() if given_by_name.get(role) is None}
    if not table.columns:  # a JSONL file in which no line could be read: its lines are reported instead
        return roles
    for role, name in roles.items():
        found = list(table.columns).count(name)
        if found != 1:
            fault = f"no column {name!r}{nearest(name, table.columns)}" if not found else f"{found} columns {name!r}"
            raise UserError(f"{table.name}: {fault} (posts.columns.{role}). The columns: {_listed(table.columns)}")
    return roles


def _listed(columns: Any) -> str:
    """List column names; what is too long for a name may be a post, in a file without a header."""
    return ", ".join(shown(name) for name in columns)


def _read_record(
    record: Record, table: Table, roles: Mapping[str, str], meanings: Meanings, rows: Counter[str]
) -> Post | Drop:
    place = (table.name, record.line)
    if record.broken:
        return Drop(*place, record.broken, explanation=record.explanation)
    values = {role: as_text(record.values.get(name)) for role, name in roles.items()}
    for role, value in values.items():
        if value is None:
            kind = type(record.values[roles[role]]).__name__
            return Drop(
                *place, Reason.BROKEN_RECORD, explanation=f", column {roles[role]!r} holds a {kind}, not a text"
            )
        if not is_unicode(value):
            explanation = f", column {roles[role]!r} holds bytes that are not UTF-8"
            return Drop(*place, Reason.BROKEN_ENCODING, explanation=explanation)
    return _interpret(place, {role: value or "" for role, value in values.items()}, table, meanings, rows)


def _interpret(
    place: Place, values: Mapping[str, str], table: Table, meanings: Meanings, rows: Counter[str]
) -> Post | Drop:
    where = located(*place)
    language = meanings.language(table.language or values.get("language", ""), where)
    part = table.part or values.get("part")
    split = None if part is None else meanings.part(part, where)
    rows[language] += 1
    identifier = values.get("id", str(rows[language])).strip()
    if not identifier:
        return Drop(*place, Reason.EMPTY_ID, language=language, split=split)
    unique = unique_id(identifier, language)
    text = clean(values["text"])
    if is_empty(text):
        return Drop(*place, Reason.EMPTY_TEXT, unique, language, split)
    label = meanings.label(values["label"])
    if label is None:
        explanation = meanings.explain_label(values["label"])
        return Drop(*place, Reason.UNKNOWN_LABEL, unique, language, split, explanation=explanation)
    group, source_id = (values.get(role, "").strip() or None for role in ("group", "source_id"))
    return Post(*place, unique, language, split, text, label, group, source_id)


def unique_id(value: str, language: str) -> str:
    """Return a post's id with its language in front, so that it is unique over all languages."""
    return value if value.startswith(f"{language}-") else f"{language}-{value}"


def _refuse_second_ids(outcomes: Iterable[Post | Drop]) -> tuple[list[Post], list[Drop]]:
    """Tell posts from drops; of posts with one id the first stays."""
    posts: dict[str, Post] = {}
    drops: list[Drop] = []
    for outcome in outcomes:
        if isinstance(outcome, Drop):
            drops.append(outcome)
        elif outcome.id in posts:
            drops.append(_second_with_id(outcome, posts[outcome.id]))
        else:
            posts[outcome.id] = outcome
    return list(posts.values()), drops


def _second_with_id(post: Post, first: Post) -> Drop:
    return Drop(
        post.file,
        post.line,
        Reason.DUPLICATE_ID,
        id=first.id,
        language=post.language,
        split=post.split,
        label=post.label,
        twin_id=first.id,
        explanation=f" {shown(first.id)}, which is taken by {located(first.file, first.line)}",
    )


def as_text(value: Any) -> str | None:
    """Return a scalar as text (missing: empty), or None for a list or a record."""
    if value is None or value != value:  # noqa: PLR0124 (only NaN differs from itself)
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value) if isinstance(value, str | int | float | Decimal | date) else None
