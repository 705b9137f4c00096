"""Count rows per input file, and posts per language and label, in a classified archive."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from babelgrid.errors import UserError
from babelgrid.runtime.files import read_json, read_parquet, write_csv

OUTCOMES = ["classified", "left_out", "rejected"]


def count_classified(
    posts: Sequence[Path], counts: Sequence[Path], labels: Sequence[str], files_out: Path, languages_out: Path
) -> None:
    """Write two tables: rows per input file with a total, and posts per language and label.

    posts, counts: output files of each job. files_out: columns file, read, classified, left_out, rejected.
    languages_out: language, a column for each label, posts. Raises `UserError` if a file does not contain as many rows
    as its job counted, or if the folder contains files of an earlier run that split the archive differently.
    """
    _check_no_stale_files(posts)
    frame = pd.DataFrame([read_json(path) for path in counts])
    for path, classified in zip(posts, frame["classified"], strict=True):
        rows = _count_rows(path)
        if rows != classified:
            raise UserError(f"{path}: contains {rows} rows, but its job wrote {classified}. Delete it and run again")
    by_file = frame.groupby(["place", "file"], sort=False)[["read", *OUTCOMES]].sum().reset_index("file")
    total = pd.DataFrame([{"file": "all", **by_file.drop(columns="file").sum()}])
    lost = total["read"] - total[OUTCOMES].sum(axis=1)
    if lost.any():
        raise UserError(
            f"classify: {int(lost.iloc[0])} rows are not accounted for. Delete classified/counts and run again"
        )
    write_csv(files_out, pd.concat([by_file, total], ignore_index=True))
    write_csv(languages_out, _by_language(posts, labels))


def _count_rows(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as Parquet ({error}). Delete it and run again") from error


def _check_no_stale_files(posts: Sequence[Path]) -> None:
    folders = {path.parent for path in posts}
    stale = sorted({path for folder in folders for path in folder.glob("[!.]*.parquet")} - set(posts))
    if stale:
        raise UserError(
            f"{stale[0]}: left over from a run that split the archive differently ({len(stale)} such files). Anything "
            "that reads the folder would count these posts twice. Move or delete these files and run again"
        )


def _by_language(posts: Sequence[Path], labels: Sequence[str]) -> pd.DataFrame:
    """Count posts by language and label, reading two columns of one file at a time."""
    counted = pd.concat([_count(path) for path in posts])
    table = counted.groupby(level=[0, 1]).sum().unstack(fill_value=0).reindex(columns=list(labels), fill_value=0)
    return table.assign(posts=table.sum(axis=1)).rename_axis(columns=None).reset_index()


def _count(path: Path) -> "pd.Series[int]":
    frame = read_parquet(path, ["language", "predicted"])
    languages = frame["language"].fillna("unknown")
    sizes: pd.Series[int] = frame.groupby([languages, frame["predicted"].astype("str")]).size()
    return sizes
