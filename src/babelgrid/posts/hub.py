"""Read posts with the Hugging Face `datasets` library, from the Hub or a local folder."""

import importlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from babelgrid.config.posts import Dataset
from babelgrid.errors import UserError
from babelgrid.posts.delimited import DELIMITERS
from babelgrid.posts.formats import Record, Table
from babelgrid.posts.lines import read_head
from babelgrid.posts.parquet import MAX_ROWS_AT_ONCE, records_of_tables
from babelgrid.posts.stream import TEXT_KINDS, open_stream, rename_columns, suffix_of
from babelgrid.spelling import respelled

OTHER_WAYS = "set the revision to a commit of its branch refs/convert/parquet, or use posts.files"
# Options that our own reader detects by itself, or that do not change the values.
FREE_OPTIONS = {"name", "version", "data_dir", "data_files", "description", "features", "chunksize"}


@dataclass(frozen=True)
class _TextFile:
    """A text file of a dataset: its name in the dataset, its local path, and the class names of each column."""

    name: str
    path: Path
    class_names: Mapping[str, list[str]]


def read_dataset(settings: Dataset, wanted: Collection[str], is_left_out: Callable[[str], bool]) -> Iterator[Table]:
    """Yield a table for each subset and split, or for each text file of a split; splits that are left out are not read.

    If a dataset has several splits, their names are used as parts; the name of a single split (`train` on the Hub) is
    ignored. CSV, TSV and JSON lines are read as in `posts.files`, because the library would read words such as NA and
    None as missing values, 007 as 7, and a text that looks like a date as a time.
    """
    subsets: Sequence[str | None] = settings.subsets or [None]
    for subset in subsets:
        where = f"{settings.name!r}, subset {subset!r}" if subset else repr(settings.name)
        try:
            splits = _load(settings, subset, is_left_out)
        except UserError:
            raise
        except Exception as error:  # the library and its dependencies may raise any kind of error
            raise UserError(f"posts.dataset: {where} {_explain(error)}") from error
        for name, source in splits.items():
            part = name if len(splits) > 1 else None
            for table in _tables(source, wanted, ":".join(filter(None, (settings.name, subset, name)))):
                yield replace(table, language=subset if settings.subset_is_language else None, part=part)


def dataset_files(settings: Dataset) -> list[Path]:
    """Return the files of a local dataset, or an empty list for a dataset on the Hub."""
    folder = Path(settings.name)
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _explain(error: Exception) -> str:
    if "scripts are no longer supported" in str(error):
        return f"ships a loading script, which the datasets library no longer runs; {OTHER_WAYS}"
    # The message of an error while rows are read may contain a row.
    said = "" if error.__cause__ and type(error).__name__.startswith("DatasetGeneration") else f": {error}"
    kind = type(error.__cause__ if not said else error).__name__
    return f"cannot be loaded ({kind}{said}). Check posts.dataset, or {OTHER_WAYS}"


def _load(settings: Dataset, subset: str | None, is_left_out: Callable[[str], bool]) -> dict[str, Any]:
    """Return the text files (see `_text_files`) or the rows of each split that is read."""
    import datasets

    saved = {"dataset_dict.json", "state.json"}
    if any((Path(settings.name) / name).is_file() for name in saved):
        loaded = datasets.load_from_disk(settings.name)
        splits = loaded if isinstance(loaded, dict) else {"all": loaded}
        return {name: rows for name, rows in splits.items() if not is_left_out(name)}
    builder = datasets.load_dataset_builder(settings.name, subset, revision=settings.revision)
    files = {str(split): [str(file) for file in some] for split, some in (builder.config.data_files or {}).items()}
    chosen = {split: some for split, some in files.items() if not is_left_out(split)}
    if files and not chosen:
        raise UserError(f"posts.leave_out leaves out all splits of {settings.name!r}: {', '.join(files)}")
    if texts := _text_files(chosen, builder):
        return texts
    options = {"data_files": chosen} if chosen != files else {}
    loaded = datasets.load_dataset(settings.name, subset, revision=settings.revision, **options)
    return {name: rows for name, rows in loaded.items() if not is_left_out(name)}


def _text_files(splits: Mapping[str, list[str]], builder: Any) -> dict[str, Any]:
    """Return the text files of each split, or an empty dictionary if the dataset has other files."""
    import datasets

    kinds = {suffix_of(Path(file)) for files in splits.values() for file in files}
    is_csv = isinstance(builder, _packaged("csv").Csv)
    if not kinds or not kinds <= {*TEXT_KINDS, ".json"}:
        if is_csv:
            raise UserError(
                f"posts.dataset: {builder.dataset_name!r} contains CSV in archives, where the library would read NA "
                f"and None as missing values. Unpack it and use posts.files"
            )
        return {}
    _refuse_options(builder.config, builder.dataset_name)
    manager = datasets.DownloadManager(dataset_name=builder.dataset_name)
    found = {
        split: list(zip(files, map(Path, manager.download(files)), strict=True)) for split, files in splits.items()
    }
    paths = [path for files in found.values() for _, path in files]
    if any(path.suffix.lower() == ".json" and not read_head(path).lstrip().startswith("{") for path in paths):
        return {}  # one JSON array instead of one object per line
    names = _class_names(builder.info.features)
    return {split: [_TextFile(name, path, names) for name, path in files] for split, files in found.items()}


def _refuse_options(config: Any, name: str) -> None:
    """Refuse options of the dataset's card that would change how its text files must be read."""
    usual = type(config)()
    allowed = {"sep": (*DELIMITERS,), "delimiter": (*DELIMITERS,), "encoding": (None, "utf-8")}
    for option in (field.name for field in fields(config) if field.name not in FREE_OPTIONS):
        value = getattr(config, option)
        if value != getattr(usual, option) and value not in allowed.get(option, ()):
            raise UserError(
                f"posts.dataset: the card of {name!r} sets {option} to {value!r}, which is not supported. Save its "
                f"files as plain CSV or JSON lines in UTF-8, and use posts.files"
            )


def _packaged(name: str) -> Any:
    return importlib.import_module(f"datasets.packaged_modules.{name}.{name}")


def _class_names(features: Any) -> dict[str, list[str]]:
    """Return the class names of each column that contains class numbers."""
    return {name: feature.names for name, feature in (features or {}).items() if hasattr(feature, "int2str")}


def _tables(source: Any, wanted: Collection[str], name: str) -> Iterator[Table]:
    if isinstance(source, list):
        for file in source:
            kind = ".jsonl" if file.path.suffix.lower() == ".json" else None
            with open_stream(file.path, wanted, kind) as stream:
                names = dict(zip(respelled(file.class_names, wanted), file.class_names.values(), strict=True))
                yield Table(file.name, stream.columns, _named(stream.records, names))
        return
    columns = respelled(source.column_names, wanted)
    chosen = [own for own, known in zip(source.column_names, columns, strict=True) if known in wanted]
    tables = source.select_columns(chosen).with_format("arrow").iter(MAX_ROWS_AT_ONCE)
    try:
        records = _named(records_of_tables(tables), _class_names(source.features))
        yield Table(name, columns, rename_columns(records, wanted))
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"posts.dataset: {name!r} cannot be read ({type(error).__name__})") from error


def _named(records: Iterable[Record], names: Mapping[str, list[str]]) -> Iterator[Record]:
    """Replace class numbers with class names (a missing class is None or -1)."""
    for record in records:
        named = {column: _name(record.values[column], names[column]) for column in names if column in record.values}
        yield replace(record, values={**record.values, **named}) if named else record


def _name(value: Any, names: list[str]) -> Any:
    """Return the name of a class; other values are returned unchanged and later reported as unknown labels."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        return value
    return value if str(value) in names or number >= len(names) else None if number < 0 else names[number]
