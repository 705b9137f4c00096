"""Totals of a classified archive: every row is counted once, in one file."""

import pandas as pd
import pytest

from babelgrid.classify.totals import count_classified
from babelgrid.errors import UserError
from babelgrid.runtime.files import write_json


@pytest.fixture
def count(tmp_path):
    """Return a function that writes a part with the given number of posts and counts the archive of that part."""
    folder = tmp_path / "posts"
    folder.mkdir()

    def run(part, rows, counted=None, read=None):
        posts, counts = folder / f"{part}.parquet", tmp_path / f"{part}.json"
        pd.DataFrame({"language": ["en"] * rows, "predicted": ["pro"] * rows}).to_parquet(posts)
        counted = rows if counted is None else counted
        read = counted if read is None else read
        own = {"file": "a.csv", "place": part, "read": read, "classified": counted, "left_out": 0, "rejected": 0}
        write_json(counts, own)
        count_classified([posts], [counts], ["pro", "anti"], tmp_path / "files.csv", tmp_path / "languages.csv")
        return pd.read_csv(tmp_path / "files.csv")

    return run


def test_rows_add_up_by_file_and_in_total(count):
    assert count("a", 3)["classified"].tolist() == [3, 3]


def test_part_with_lost_row_raises(count):
    with pytest.raises(UserError, match="contains 3 rows, but its job wrote 4"):
        count("a", 3, counted=4)


def test_unaccounted_rows_raise(count):
    with pytest.raises(UserError, match="2 rows are not accounted for"):
        count("a", 3, read=5)


def test_part_of_different_division_raises(count):
    count("a", 3)
    with pytest.raises(
        UserError, match=r"a\.parquet: left over from a run that split the archive differently \(1 such files\)"
    ):
        count("a.00000", 3)


def test_leftover_of_killed_job_is_ignored(count, tmp_path):
    (tmp_path / "posts/.b.k3j_x9qa.parquet").write_bytes(b"PAR1")
    assert count("a", 3)["classified"].tolist() == [3, 3]


def test_same_file_name_in_two_folders_gives_two_rows(tmp_path):
    posts, counts = [tmp_path / "a.parquet", tmp_path / "a-2.parquet"], [tmp_path / "a.json", tmp_path / "a-2.json"]
    for number, (table, own) in enumerate(zip(posts, counts, strict=True)):
        pd.DataFrame({"language": ["en"] * 2, "predicted": ["pro"] * 2}).to_parquet(table)
        record = {"file": "a.csv", "place": str(number), "read": 2, "classified": 2, "left_out": 0, "rejected": 0}
        write_json(own, record)
    count_classified(posts, counts, ["pro"], tmp_path / "files.csv", tmp_path / "languages.csv")
    assert pd.read_csv(tmp_path / "files.csv")[["file", "read"]].values.tolist() == [
        ["a.csv", 2],
        ["a.csv", 2],
        ["all", 4],
    ]


def test_truncated_part_is_named(count, tmp_path):
    count("a", 3)
    part = tmp_path / "posts/a.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"a\.parquet: cannot be read"):
        count_classified([part], [tmp_path / "a.json"], ["pro"], tmp_path / "files.csv", tmp_path / "languages.csv")
