"""Test CSV tables: they survive a round trip, lost rows are refused, and a spreadsheet runs no formula."""

import json

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from babelgrid.errors import UserError
from babelgrid.runtime.files import read_csv, write_csv
from babelgrid.runtime.spreadsheet import defuse, restore

TRICKY = ["-", "=x", "'x", "'", "''=x", "'-", "NA", "nan", "None", "1e5", "007", "True", "-0.5", "+1", "@a", "\uff1d1"]
TRICKY += [
    "\t=a",
    " -",
    "\u3000\uff20x",
    "a,b",
    'a "quote"',
    "line\nbreak",
    "\r",
    "a\r\nb",
    " ",
    "a;=1+1",
    "inf",
    "9" * 17,
]
WORDS = st.sampled_from(TRICKY) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15).map(lambda x: round(x, 6))
TABLE = {"name": ["en", "hu", "all"], "score": [0.25, 0.5, 0.125]}


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(WORDS | st.none(), WORDS, NUMBERS), min_size=1, max_size=8), WORDS)
@example([("-", "=x", -0.5)], "=head")
@example([(" ", " ", 1.0)], " ")
def test_table_is_read_as_written(tmp_path_factory, rows, head):
    path = tmp_path_factory.mktemp("tables") / "a.csv"
    frame = pd.DataFrame(rows, columns=["first", f"{head}2", "number"])
    write_csv(path, frame)
    found = read_csv(path)
    assert list(found.columns) == list(frame.columns)
    for column in frame.columns[:2]:
        wanted = [None if pd.isna(value) else value for value in frame[column]]
        assert [None if pd.isna(value) else value for value in found[column]] == wanted
    assert found["number"].astype(float).tolist() == frame["number"].tolist()


@pytest.mark.parametrize("word", TRICKY)
def test_column_with_one_text_is_read_as_written(tmp_path, word):
    write_csv(tmp_path / "a.csv", pd.DataFrame({"only": [word, word]}))
    assert read_csv(tmp_path / "a.csv")["only"].tolist() == [word, word]


@given(st.text())
def test_restore_undoes_defuse(text):
    assert restore(defuse(text)) == text
    assert defuse(text).lstrip()[:1] not in set("=+-@\uff1d\uff0b\uff0d\uff20")


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff20a",
    " =1",
    "\t=1",
    "\r=1",
    "\ufeff=1",
]


@pytest.mark.parametrize("cell", FORMULAS)
def test_formula_stays_text_in_a_spreadsheet(tmp_path, cell):
    write_csv(tmp_path / "a.csv", pd.DataFrame({cell: [cell], "number": [-0.5]}))
    # splitlines would split the cell that contains a carriage return
    text = (tmp_path / "a.csv").read_bytes().decode()
    assert text.replace('"', "") == f"'{cell},number\n'{cell},-0.5\n"


def test_negative_numbers_stay_numbers(tmp_path):
    write_csv(tmp_path / "a.csv", pd.DataFrame({"difference": [-0.25, 1e20]}))
    assert (tmp_path / "a.csv").read_text() == "difference\n-0.25\n100000000000000000000\n"


@pytest.mark.parametrize("length", range(len("name,score\nen,0.25\nhu,0.5\nall,0.125\n")))
def test_truncated_table_is_refused(tmp_path, length):
    path = tmp_path / "scores.csv"
    write_csv(path, pd.DataFrame(TABLE))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match=r"scores\.csv.*(run again)"):
        read_csv(path)


def test_table_ending_in_null_bytes_is_refused(tmp_path):
    path = tmp_path / "scores.csv"
    write_csv(path, pd.DataFrame(TABLE))
    path.write_bytes(path.read_bytes()[:-6] + b"\0" * 6)
    with pytest.raises(UserError, match=r"scores\.csv"):
        read_csv(path)


def test_edited_table_is_used_with_a_warning(tmp_path, caplog):
    path = tmp_path / "scores.csv"
    write_csv(path, pd.DataFrame(TABLE))
    path.write_text(path.read_text().replace("0.5", "0.75") + "fi,1.0\n")
    assert read_csv(path)["score"].tolist() == [0.25, 0.75, 0.125, 1.0]
    assert "scores.csv" in caplog.text


def test_rows_can_be_removed_after_deleting_the_record(tmp_path):
    path = tmp_path / "scores.csv"
    write_csv(path, pd.DataFrame(TABLE))
    path.write_text("name,score\nen,0.25\n")
    with pytest.raises(UserError, match="1 rows, but 3 were written") as error:
        read_csv(path)
    record = tmp_path / ".sums" / "scores.csv.json"
    assert str(record) in str(error.value)
    record.unlink()
    assert len(read_csv(path)) == 1


def test_replaced_table_is_used_with_a_warning(tmp_path, caplog):
    path = tmp_path / "scores.csv"
    write_csv(path, pd.DataFrame(TABLE))
    path.write_text("note\nmine\n")
    assert read_csv(path)["note"].tolist() == ["mine"]
    assert "scores.csv: was changed" in caplog.text


def test_table_without_any_record_is_refused(tmp_path):
    pd.DataFrame(TABLE).to_csv(tmp_path / "scores.csv", index=False)
    with pytest.raises(UserError, match="older version"):
        read_csv(tmp_path / "scores.csv")


@pytest.mark.parametrize("moment", ["before the table", "after the table"])
def test_kill_between_table_and_record_keeps_table_readable(tmp_path, monkeypatch, moment):
    path = tmp_path / "scores.csv"
    write_csv(path, pd.DataFrame(TABLE))
    shorter = pd.DataFrame(TABLE).head(1)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        f"babelgrid.runtime.files.{'publish' if moment == 'before the table' else 'write_json'}", killed
    )
    with pytest.raises(KeyboardInterrupt):
        write_csv(path, shorter)
    assert len(read_csv(path)) == (3 if moment == "before the table" else 1)


def test_row_of_wrong_length_is_refused(tmp_path):
    path = tmp_path / "scores.csv"
    write_csv(path, pd.DataFrame(TABLE))
    path.write_text(path.read_text().replace("hu,0.5", "hu"))
    with pytest.raises(UserError, match="row 2 has 1 fields"):
        read_csv(path)


def test_record_contains_no_path_and_no_time(tmp_path):
    write_csv(tmp_path / "scores.csv", pd.DataFrame(TABLE))
    record = json.loads((tmp_path / ".sums" / "scores.csv.json").read_text())
    assert set(record) == {"rows", "sha256", "header", "text"}
    assert record["rows"] == 3
    assert record["text"] == ["name"]
