"""Read, clean, deduplicate and tokenise the rows of an archive, group by group.

This runs in a separate process, `python -m babelgrid.classify.reader`, one group ahead of the scoring process.
"""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeVar

import pyarrow as pa

from babelgrid.config.classify import Classify
from babelgrid.config.fields import named_columns
from babelgrid.config.prompt import Prompt
from babelgrid.errors import UserError, nearest
from babelgrid.posts.clean import clean, is_empty
from babelgrid.posts.formats import Record, is_unicode
from babelgrid.posts.normalize import language_code
from babelgrid.posts.parquet import parquet_metadata
from babelgrid.posts.rejects import Reason
from babelgrid.posts.roles import Fault, check_columns, read_values
from babelgrid.posts.stream import file_kind, open_stream
from babelgrid.prompts.template import encode_prompts, frame_of
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.spelling import fold, respelled

CHARACTERS_OF_A_GROUP = 16_000_000
# A tokenizer takes about 60 bytes of memory per character.
CHARACTERS_OF_A_BATCH = 250_000

Item = TypeVar("Item")


@dataclass(frozen=True)
class Slice:
    """Rows of a file from index `first` (counted from 0): `rows` of them, or all that follow if None."""

    path: Path
    first: int = 0
    rows: int | None = None

    def after(self, rows: int) -> "Slice":
        """Return the slice without its first `rows` rows."""
        return Slice(self.path, self.first + rows, None if self.rows is None else max(self.rows - rows, 0))


@dataclass
class Group:
    """Rows that are scored and written together."""

    read: int = 0
    left_out: int = 0
    """Number of rows in a language that was not requested."""
    rejected: list[tuple[int, str]] = field(default_factory=list)
    """Line and reason of each row that cannot be classified."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Id, kept columns and language of each row that can be classified."""
    keys: list[bytes] = field(default_factory=list)
    """Identifier of each row's prompt: a digest of the template's language and the cleaned text."""
    prompts: dict[bytes, tuple[str, list[int]]] = field(default_factory=dict)
    """Language of the template and tokens of the prompt, by key."""
    done: float = 1.0
    """Fraction of the slice read up to the end of this group, from 0 to 1."""


@dataclass(frozen=True)
class Archive:
    """A slice of an archive and everything that its prompts depend on. tokenizer: folder of the base."""

    part: Slice
    settings: Classify
    aliases: Mapping[str, str]
    prompt: Prompt
    tokenizer: str

    @cached_property
    def codes(self) -> dict[str, str]:
        """The data's own language codes, folded, mapped to standard codes."""
        return {fold(code): language for code, language in self.aliases.items()}

    @cached_property
    def roles(self) -> dict[str, str]:
        """Role -> column, for the roles that the data has."""
        return named_columns(self.settings.columns)

    @property
    def rows_there(self) -> int | None:
        """Number of rows in the slice, as given or read from the Parquet footer; None if unknown."""
        is_whole_parquet = self.part.rows is None and file_kind(self.part.path) == ".parquet"
        return parquet_metadata(self.part.path).num_rows - self.part.first if is_whole_parquet else self.part.rows

    @property
    def kept_types(self) -> dict[str, pa.DataType]:
        """Type of each kept column: its own type in Parquet, text in other formats."""
        if not self.settings.keep or file_kind(self.part.path) != ".parquet":
            return dict.fromkeys(self.settings.keep, pa.string())
        schema = parquet_metadata(self.part.path).schema.to_arrow_schema()
        columns = respelled(schema.names, [*self.settings.keep, *self.roles.values()])
        _check_columns(self, columns)
        types = {name: schema.types[columns.index(name)] for name in self.settings.keep}
        for name, its_type in types.items():
            if its_type == pa.time64("ns"):
                raise UserError(
                    f"{self.part.path}: column {name!r} (classify.keep) contains times of day in nanoseconds, which "
                    "would be truncated to microseconds. Cast it to time64[us] or text, or leave it out"
                )
        return types


@contextmanager
def encoded_groups(archive: Archive) -> Iterator[Iterator[Group]]:
    """Yield the groups of an archive in order, each prepared while the previous one is being scored.

    There is always at least one group, without rows if the archive is empty. A `UserError` of the reading process is
    raised here.
    """
    # The reading process, including its tokenizer, uses one thread.
    environment = {**os.environ, "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-m", __name__]
    # The reading process has its own session, so Ctrl-C reaches only this process, which then kills the other.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
    ) as process:
        assert process.stdin  # noqa: S101 (for the type checker)
        assert process.stdout  # noqa: S101
        try:
            with process.stdin:
                pickle.dump(archive, process.stdin)
            yield _received(process.stdout)
        finally:
            process.kill()


def _received(stream: IO[bytes]) -> Iterator[Group]:
    while True:
        try:
            # The stream comes only from this program's own process.
            content = pickle.load(stream)  # noqa: S301
        except (EOFError, pickle.UnpicklingError) as error:
            raise RuntimeError("the process that reads the archive ended early; its output is above") from error
        if isinstance(content, Exception):
            raise content
        if content is None:
            return
        yield content


def read_groups(archive: Archive) -> Iterator[Group]:
    """Yield the groups of an archive in order; raise `UserError` if a column is missing or the file is unreadable."""
    settings = archive.settings
    wanted = {*archive.roles.values(), *settings.keep}
    tokenizer = load_tokenizer(archive.tokenizer)
    with open_stream(archive.part.path, wanted) as stream:
        if stream.columns:
            _check_columns(archive, stream.columns)
        deque(islice(stream.records, archive.part.first), maxlen=0)
        records, begin, read = islice(stream.records, archive.part.rows), stream.position(), 0
        for rows in _chunks(records, _characters_of, CHARACTERS_OF_A_GROUP, settings.rows_per_group):
            if not read and not archive.part.first and stream.columns is None:
                names = dict.fromkeys(name for row in rows for name in row.values)
                _check_columns(archive, names, is_sparse=True)
            read += len(rows)
            # A small file, or the end of one, is fully buffered before its first row is returned.
            of_file = (stream.position() - begin) / (1 - begin) if begin < 1 else 1.0
            yield _encode(rows, archive, tokenizer, of_file if archive.part.rows is None else read / archive.part.rows)
        if not read:
            yield Group()


def _chunks(
    items: Iterable[Item], size_of: Callable[[Item], int], enough: int, most: int | None = None
) -> Iterator[list[Item]]:
    """Yield lists of consecutive items, each closed when its total size reaches `enough` or it has `most` items."""
    chunk: list[Item] = []
    size = 0
    for item in items:
        chunk.append(item)
        size += size_of(item)
        if size >= enough or len(chunk) == most:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _characters_of(record: Record) -> int:
    return sum(len(value) for value in record.values.values() if isinstance(value, str))


def _check_columns(archive: Archive, columns: Collection[str], *, is_sparse: bool = False) -> None:
    """Raise `UserError` unless each configured column occurs exactly once in the file.

    is_sparse: the columns come from the first rows of a JSONL file, where a kept column may not occur yet. Then a
    missing kept column is an error only if its name looks misspelt.
    """
    if not columns:  # no JSONL row can be parsed: each is rejected individually
        return
    path = archive.part.path
    named = [(name, f"classify.columns.{role}") for role, name in archive.roles.items()]
    named += [(name, "classify.keep") for name in archive.settings.keep]
    if not any(name in columns for name, _ in named):
        # Do not show the columns: without a header, they are the values of a post.
        wanted = ", ".join(repr(name) for name, _ in named)
        raise UserError(
            f"{path}: none of its {len(columns)} columns is called {wanted} (classify.columns, classify.keep). "
            "Use the column names of the file; a text file needs a header"
        )
    for name, key in named:
        is_late = is_sparse and key == "classify.keep" and name not in columns and not nearest(name, columns)
        if not is_late:
            check_columns(str(path), columns, {key: name})


def _encode(records: list[Record], archive: Archive, tokenizer: Any, done: float) -> Group:
    group = Group(read=len(records), done=done)
    texts: dict[str, dict[bytes, str]] = {}
    for record in records:
        row = _interpret(record, archive)
        if isinstance(row, Reason):
            group.rejected.append((record.line, row.value))
        elif row is None:
            group.left_out += 1
        else:
            values, template, text = row
            key = hashlib.blake2b(f"{template}\n{text}".encode(), digest_size=16).digest()
            group.rows.append(values)
            group.keys.append(key)
            texts.setdefault(template, {})[key] = text
    for template, own in texts.items():
        frame = frame_of(archive.prompt, template, tokenizer)
        for some in _chunks(own.items(), lambda item: len(item[1]), CHARACTERS_OF_A_BATCH):
            prompts = encode_prompts(frame, [text for _, text in some], tokenizer, archive.prompt.max_post_tokens)
            group.prompts |= {key: (template, prompt) for (key, _), prompt in zip(some, prompts, strict=True)}
    return group


def _interpret(record: Record, archive: Archive) -> tuple[dict[str, Any], str, str] | Reason | None:
    """Return a row's values, template language and cleaned text; a `Reason` to reject it; or None to leave it out."""
    found = _values(record, archive)
    if isinstance(found, Reason):
        return found
    values, kept = found
    language = _language(values.get("language"), archive)
    if archive.settings.languages is not None and language not in archive.settings.languages:
        return None
    text = clean(values["text"])
    if is_empty(text):
        return Reason.EMPTY_TEXT
    template = _template(language, archive.prompt)
    if template is None:
        return Reason.UNKNOWN_LANGUAGE
    return {"id": values.get("id", str(record.line)), **kept, "language": language}, template, text


def _values(record: Record, archive: Archive) -> tuple[dict[str, str], dict[str, Any]] | Reason:
    """Return a row's values by role and its kept values, or a `Reason` to reject the row."""
    try:
        kept = {name: _kept(record.values.get(name), archive) for name in archive.settings.keep}
    except RecursionError:  # nested too deeply to be serialised as JSON
        return Reason.BROKEN_RECORD
    values = read_values(record, archive.roles)
    if isinstance(values, Fault):
        return values.reason
    if not all(is_unicode(value) for value in kept.values() if isinstance(value, str)):
        return Reason.BROKEN_ENCODING
    return values, kept


def _kept(value: Any, archive: Archive) -> Any:
    """Return a kept value unchanged for Parquet; for other formats, unchanged if it is text, else as JSON."""
    if value is None or isinstance(value, str) or archive.part.path.suffix.lower() == ".parquet":
        return value
    return json.dumps(value, ensure_ascii=False)


def _language(code: str | None, archive: Archive) -> str | None:
    """Return the standard code of a row's language, or the code as it is written if it is not a language."""
    if code is None:
        return archive.settings.language
    try:
        return language_code(code.strip(), archive.codes)
    except ValueError:
        return code.strip() or None


def _template(language: str | None, prompt: Prompt) -> str | None:
    """Return the language of the template for a post, or None if no template exists for its language."""
    if prompt.language == "en":
        return "en"
    return language if language in prompt.template else None


def _send_groups() -> None:
    """Read an `Archive` from standard input and write its groups to standard output, followed by None."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # output printed by libraries must not mix with the groups
        try:
            for group in read_groups(pickle.load(sys.stdin.buffer)):  # noqa: S301 (from this program's own process)
                pickle.dump(group, out)
                out.flush()
            pickle.dump(None, out)
        except UserError as error:
            pickle.dump(error, out)
        except BrokenPipeError:  # the scoring process has exited
            os._exit(1)


if __name__ == "__main__":
    # Import the module by name, so that both processes pickle the same classes (not those of __main__).
    from babelgrid.classify.reader import _send_groups as send

    send()
