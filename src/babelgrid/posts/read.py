"""Turn raw rows into clean posts with known languages, labels and parts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from babelgrid.config.fields import named_columns
from babelgrid.config.posts import Columns, Posts
from babelgrid.config.prompt import Label
from babelgrid.config.rivals import Translate
from babelgrid.errors import UserError
from babelgrid.posts.clean import clean, is_empty
from babelgrid.posts.formats import Record, Table
from babelgrid.posts.hub import dataset_files, read_dataset
from babelgrid.posts.identifiers import unique_id
from babelgrid.posts.normalize import Meanings
from babelgrid.posts.paths import find_files
from babelgrid.posts.rejects import Drop, Reason, located, shown
from babelgrid.posts.roles import Fault, check_columns, read_values
from babelgrid.posts.stream import open_stream

Place = tuple[str, int]
ROWS_OF_A_FRAME = 65_536
MAX_NAMES = 1000


@dataclass(frozen=True, slots=True)
class Post:
    """One clean post, as written to `all.parquet`; `split` is None until the seeded split."""

    file: str
    line: int
    id: str
    language: str
    split: str | None
    text: str
    label: str
    group: str | None
    source_id: str | None
    translation: str | None = None
    """Its translation into the pivot language, if translations are read and it has one."""


# Columns with few distinct values share their string objects and keep None (not NaN); Arrow packs the others.
KINDS: dict[str, Any] = {"file": object, "line": "int64", "language": object, "split": object, "label": object}


def read_posts(
    settings: Posts, labels: Mapping[str, Label], aliases: Mapping[str, str], translate: Translate | None = None
) -> tuple[pd.DataFrame, list[Drop]]:
    """Return every usable row as a clean post, in file order (columns as in `Post`), and the rows with mistakes.

    Ids are unique across languages: `<language>-<id>`, unless the id already has this prefix, or
    `<language>-<number>`, numbered in file order, if the data has no ids. translate: where translations are; a missing
    or unreadable one never drops a post. Raises `UserError` for mistakes that dropping a row cannot fix: a file or a
    column is missing, or a file has no rows.
    """
    if settings.lab:
        raise ValueError("the lab's posts must be written to files first")
    meanings = Meanings(labels, aliases, settings.parts, settings.leave_out)
    rows: Counter[str] = Counter()
    return _collect(
        outcome
        for table in _tables(settings, meanings, [translate.source_column] if translate else [])
        for outcome in _read_table(table, settings.columns, meanings, rows, translate)
    )


def source_files(settings: Posts) -> list[Path]:
    """Return the files that posts are read from (empty for a dataset on the Hub)."""
    if settings.dataset:
        return dataset_files(settings.dataset)
    return [file.path for file in find_files(settings.files or [])]


def _tables(settings: Posts, meanings: Meanings, more: Iterable[str]) -> Iterator[Table]:
    wanted = {*named_columns(settings.columns).values(), *more}
    if settings.dataset:
        yield from read_dataset(settings.dataset, wanted, meanings.is_left_out)
        return
    for file in find_files(settings.files or []):
        if file.part is None or not meanings.is_left_out(file.part):
            with open_stream(file.path, wanted) as stream:
                yield Table(str(file.path), stream.columns, stream.records, file.language, file.part)


def _collect(outcomes: Iterable[Post | Drop]) -> tuple[pd.DataFrame, list[Drop]]:
    """Separate posts from drops, both in file order; of several posts with the same id, keep the first."""
    frames: list[pd.DataFrame] = []
    drops: list[tuple[int, Drop]] = []
    waiting: dict[int, Post] = {}
    for number, outcome in enumerate(outcomes):
        if isinstance(outcome, Drop):
            drops.append((number, outcome))
            continue
        waiting[number] = outcome
        if len(waiting) == ROWS_OF_A_FRAME:
            frames.append(_frame(waiting))
            waiting = {}
    posts = pd.concat([*frames, _frame(waiting)])
    is_second = posts["id"].duplicated()
    drops += _seconds(posts, is_second)
    drops.sort(key=lambda drop: drop[0])
    return posts[~is_second].reset_index(drop=True), [drop for _, drop in drops]


def _frame(posts: Mapping[int, Post]) -> pd.DataFrame:
    """Return posts as a table indexed by their numbers, built column by column."""
    columns = {
        name: pd.Series([getattr(post, name) for post in posts.values()], dtype=KINDS.get(name, "str"))
        for name in Post.__annotations__
    }
    return pd.DataFrame(columns).set_axis(list(posts), axis="index")


def _seconds(posts: pd.DataFrame, is_second: "pd.Series[bool]") -> Iterator[tuple[int, Drop]]:
    ids = posts.loc[is_second, "id"]
    firsts = {row.id: row for row in posts[posts["id"].isin(ids) & ~is_second].itertuples()}
    for row in posts[is_second].itertuples():
        first: Any = firsts[row.id]
        taken = f" {shown(first.id)}, already used in {located(first.file, first.line)}"
        explanation = f"{taken} (ids are prefixed with their language)"
        second: Any = row
        known = (second.id, second.language, second.split, second.label, second.id)
        yield second.Index, Drop(second.file, second.line, Reason.DUPLICATE_ID, *known, explanation)


def _read_table(
    table: Table, columns: Columns, meanings: Meanings, rows: Counter[str], translate: Translate | None
) -> Iterator[Post | Drop]:
    """Yield the posts and drops of one table. rows: the number of rows by language, for ids if the data has none."""
    roles = _roles(table, columns)
    keys = {f"posts.columns.{role}": name for role, name in roles.items()}
    # A file with posts in the pivot needs no translations.
    if translate and (table.language is None or meanings.language(table.language) != translate.pivot):
        keys["rivals.translate.column"] = translate.source_column
    if table.columns:
        check_columns(table.name, table.columns, keys)
    names: dict[str, None] = {}
    record = None
    for record in table.records:
        if table.columns is None and len(names) < MAX_NAMES:
            names.update(dict.fromkeys(record.values))
        outcome = _read_record(record, table, roles, meanings, rows)
        if outcome is not None:
            yield outcome if translate is None else _with_translation(outcome, record, translate)
    if record is None:
        raise UserError(f"{table.name}: contains no rows. Remove it from the config, or add rows")
    # JSONL without a readable line has no column names: its lines are reported instead.
    if names and len(names) < MAX_NAMES:
        check_columns(table.name, names, keys)


def _roles(table: Table, columns: Columns) -> dict[str, str]:
    """Return the column of each role, without roles whose value is given by the path."""
    given_by_name = {"language": table.language, "part": table.part}
    return {role: name for role, name in named_columns(columns).items() if given_by_name.get(role) is None}


def _read_record(
    record: Record, table: Table, roles: Mapping[str, str], meanings: Meanings, rows: Counter[str]
) -> Post | Drop | None:
    """Return a post, a row with a mistake, or None for a row in a part that is left out."""
    place = (table.name, record.line)
    values = read_values(record, roles)
    if isinstance(values, Fault):
        return Drop(*place, values.reason, explanation=values.explanation)
    return _interpret(place, values, table, meanings, rows)


def _with_translation(outcome: Post | Drop, record: Record, translate: Translate) -> Post | Drop:
    """Return a post with its translation, which is its own text if it is in the pivot; drops stay as they are."""
    if isinstance(outcome, Drop):
        return outcome
    if outcome.language == translate.pivot:
        return replace(outcome, translation=outcome.text)
    values = read_values(record, {"translation": translate.source_column})
    text = "" if isinstance(values, Fault) else clean(values["translation"])
    return replace(outcome, translation=None if is_empty(text) else text)


def _interpret(
    place: Place, values: Mapping[str, str], table: Table, meanings: Meanings, rows: Counter[str]
) -> Post | Drop | None:
    part = table.part or values.get("part")
    if part is not None and meanings.is_left_out(part):
        return None
    code = table.language or values.get("language", "")
    language, split = meanings.language(code), None if part is None else meanings.part(part)
    if language is None:
        return Drop(*place, Reason.UNKNOWN_LANGUAGE, split=split, explanation=meanings.explain_language(code))
    rows[language] += 1
    identifier = values.get("id", str(rows[language]))
    if not identifier:
        return Drop(*place, Reason.EMPTY_ID, language=language, split=split)
    known = (unique_id(identifier, language), language, split)
    if part is not None and split is None:
        return Drop(*place, Reason.UNKNOWN_PART, *known, explanation=meanings.explain_part(part))
    return _with_text(place, known, values, meanings)


def _with_text(
    place: Place, known: tuple[str, str, str | None], values: Mapping[str, str], meanings: Meanings
) -> Post | Drop:
    """Return a row's post, or a drop if its text or label is invalid. known: its id, language and split."""
    text = clean(values["text"])
    if is_empty(text):
        return Drop(*place, Reason.EMPTY_TEXT, *known)
    label = meanings.label(values["label"])
    if label is None:
        return Drop(*place, Reason.UNKNOWN_LABEL, *known, explanation=meanings.explain_label(values["label"]))
    group, source_id = (values.get(role) or None for role in ("group", "source_id"))
    identifier, language, split = known
    return Post(*place, identifier, language, split, text, label, group, source_id)
