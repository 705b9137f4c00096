"""Reading posts with the Hugging Face `datasets` library: a name on the Hub or a local folder."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from babelgrid.config.posts import Dataset
from babelgrid.errors import UserError
from babelgrid.posts.formats import Record, Table


def read_dataset(settings: Dataset, wanted: Collection[str]) -> Iterator[Table]:
    """Yield a table for each subset and split.

    A dataset with several splits gives their names as parts; a lone split (the Hub calls it `train`) says nothing.
    """
    subsets: Sequence[str | None] = settings.subsets or [None]
    for subset in subsets:
        splits = _load(settings, subset)
        for name, rows in splits.items():
            yield Table(
                name=":".join([settings.name, *([subset] if subset else []), name]),
                columns=rows.column_names,
                records=list(_records(rows, wanted)),
                language=subset if settings.subset_is_language else None,
                part=name if len(splits) > 1 else None,
            )


def dataset_files(settings: Dataset) -> list[Path]:
    """Return the files of a local dataset; a dataset on the Hub has none here."""
    folder = Path(settings.name)
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _load(settings: Dataset, subset: str | None) -> dict[str, Any]:
    import datasets

    saved = {"dataset_dict.json", "state.json"}
    try:
        if any((Path(settings.name) / name).is_file() for name in saved):
            loaded = datasets.load_from_disk(settings.name)
        else:
            loaded = datasets.load_dataset(settings.name, subset, revision=settings.revision)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        where = f"{settings.name!r}, subset {subset!r}" if subset else repr(settings.name)
        raise UserError(f"posts.dataset: {where} cannot be loaded ({error})") from error
    return dict(loaded) if isinstance(loaded, dict) else {"all": loaded}


def _records(rows: Any, wanted: Collection[str]) -> Iterator[Record]:
    columns = [name for name in rows.column_names if name in wanted]
    names: dict[str, Callable[[int], str]] = {
        column: rows.features[column].int2str for column in columns if hasattr(rows.features[column], "int2str")
    }
    for number, row in enumerate(rows.select_columns(columns), start=1):
        yield Record(number, {key: _named(value, names.get(key)) for key, value in row.items()})


def _named(value: Any, name_of: Callable[[int], str] | None) -> Any:
    """Return a class's name for its number (a dataset marks a missing one as None or -1)."""
    if name_of is None:
        return value
    return None if value is None or value < 0 else name_of(value)
