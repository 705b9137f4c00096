"""Test that files are read completely row by row, and that reading continues after a broken row."""

import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babelgrid.classify.shards import divide_archive
from babelgrid.errors import UserError
from babelgrid.posts.delimited import LINES_OF_A_SUSPECT, MAX_LINES_OF_A_RECORD
from babelgrid.posts.rejects import Reason
from babelgrid.posts.stream import open_stream

# Longer fields can look like several rows; such fields are refused, which other tests cover.
FIELD = st.text(alphabet=st.sampled_from('a,"\n\r é한'), max_size=6).filter(
    lambda text: len(text.splitlines()) < LINES_OF_A_SUSPECT - 1
)


def records_of(path, wanted=("id", "text")):
    with open_stream(path, wanted) as stream:
        return [(record.line, dict(record.values), record.broken) for record in stream.records]


def written(rows):
    text = io.StringIO()
    csv.writer(text).writerows([["id", "text"], *rows])
    return text.getvalue()


@pytest.mark.slow
@settings(max_examples=200)
@given(rows=st.lists(st.tuples(st.sampled_from("xyz"), FIELD), max_size=8))
def test_csv_round_trips(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "posts.csv"
    path.write_text(written(rows), encoding="utf-8", newline="")
    assert [values["text"] for _, values, _ in records_of(path)] == [text for _, text in rows]


@pytest.mark.parametrize("text", ["a\n\n\n\n\nb", "\n\n\n\n"])
def test_blank_lines_in_a_text_are_not_rows(tmp_path, text):
    (tmp_path / "posts.csv").write_text(written([("x", text), ("y", "b")]), encoding="utf-8", newline="")
    assert [values for _, values, _ in records_of(tmp_path / "posts.csv")] == [
        {"id": "x", "text": text},
        {"id": "y", "text": "b"},
    ]


@pytest.mark.parametrize("name", ["posts.csv.gz", "posts.tsv.gz", "posts.jsonl.gz", "posts.jsonl.zst", "posts.csv.zst"])
def test_all_members_of_compressed_files_are_read(tmp_path, name):
    rows = [{"id": str(number), "text": f"post {number} 안녕"} for number in range(3000)]
    if "jsonl" in name:
        lines = [json.dumps(row) + "\n" for row in rows]
    else:
        mark = "\t" if "tsv" in name else ","
        lines = [f"id{mark}text\n", *(mark.join(row.values()) + "\n" for row in rows)]
    halves = ["".join(lines[:1500]).encode(), "".join(lines[1500:]).encode()]
    codec = pa.Codec("zstd") if name.endswith("zst") else None
    packed = [gzip.compress(half) if codec is None else codec.compress(half, asbytes=True) for half in halves]
    (tmp_path / name).write_bytes(b"".join(packed))
    assert [values for _, values, _ in records_of(tmp_path / name)] == rows


def test_broken_row_is_marked_and_later_rows_are_read(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b'id,text\n1,one\n2,"two" or\n3,three,3\n4,\xff\n5,"five\nsix"\n7,seven\n')
    records = records_of(path)
    assert [(line, broken) for line, _, broken in records if broken] == [
        (3, Reason.BROKEN_RECORD),
        (4, Reason.BROKEN_RECORD),
    ]
    assert [values["text"] for _, values, broken in records if not broken] == ["one", "\udcff", "five\nsix", "seven"]
    assert [line for line, *_ in records] == [2, 3, 4, 5, 6, 8]


@pytest.mark.parametrize("lines_behind", [10, 3 * MAX_LINES_OF_A_RECORD])
def test_unclosed_quote_breaks_only_one_row(tmp_path, lines_behind):
    path = tmp_path / "posts.csv"
    behind = "".join(f"{number},text\n" for number in range(lines_behind))
    path.write_text(f'id,text\n1,one\n2,"never closed\n{behind}', encoding="utf-8")
    records = records_of(path)
    assert [line for line, _, broken in records if broken] == [3]
    assert len(records) == 2 + lines_behind
    assert records[-1][:2] == (3 + lines_behind, {"id": str(lines_behind - 1), "text": "text"})


def test_invalid_json_line_is_marked(tmp_path):
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b'{"text": "a"}\n\n{"text": \n[1]\n{"text": "\xff"}\n{"text": "b"}')
    assert [(line, broken) for line, _, broken in records_of(path)] == [
        (1, None),
        (3, Reason.BROKEN_RECORD),
        (4, Reason.BROKEN_RECORD),
        (5, Reason.BROKEN_ENCODING),
        (6, None),
    ]


def test_parquet_reads_only_wanted_columns(tmp_path):
    table = pa.table({"id": ["a", "b"], "text": ["one", None], "other": [1, 2]})
    pq.write_table(table, tmp_path / "posts.parquet")
    assert records_of(tmp_path / "posts.parquet") == [
        (1, {"id": "a", "text": "one"}, None),
        (2, {"id": "b", "text": None}, None),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_truncated_compressed_file_error_names_line(tmp_path, suffix):
    content = "".join(f'{{"text": "{number}"}}\n' for number in range(100_000)).encode()
    packed = gzip.compress(content) if suffix == "gz" else pa.Codec("zstd").compress(content, asbytes=True)
    (tmp_path / f"posts.jsonl.{suffix}").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(UserError, match=rf"posts\.jsonl\.{suffix}: .*(truncated or damaged|cannot be read)"):
        records_of(tmp_path / f"posts.jsonl.{suffix}")


@pytest.mark.parametrize("name", ["posts.xlsx", "posts", "posts.parquet.gz", "posts.csv.bz2"])
def test_unknown_file_kind_error_lists_known_kinds(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=r"must end in one of \.csv"):
        records_of(tmp_path / name)


def test_parts_cover_every_row_once(tmp_path):
    (tmp_path / "a.csv").write_text("text\n" + "x\n" * 25, encoding="utf-8")
    (tmp_path / "b.csv").write_text("text\n", encoding="utf-8")
    divide_archive({"a": tmp_path / "a.csv", "b": tmp_path / "b.csv"}, 10, tmp_path / "parts.json")
    parts = json.loads((tmp_path / "parts.json").read_text(encoding="utf-8"))
    assert [(part["shard"], part["first"], part["rows"]) for part in parts.values()] == [
        ("a", 0, 10),
        ("a", 10, 10),
        ("a", 20, 5),
        ("b", 0, 0),
    ]


def test_rows_of_empty_fields_are_ignored_in_csv_and_tsv(tmp_path):
    for name, mark in (("a.tsv", "\t"), ("a.csv", ",")):
        content = f"id{mark}text\n1{mark}one\n{mark}\n\n2{mark}two\n{mark} \n{mark}{mark}{mark}\n"
        (tmp_path / name).write_text(content, encoding="utf-8")
        with open_stream(tmp_path / name, {"id", "text"}) as stream:
            assert [record.line for record in stream.records] == [2, 5]


def test_lone_carriage_return_does_not_end_tsv_row(tmp_path):
    path = tmp_path / "posts.tsv"
    path.write_bytes(b"id\ttext\r\n1\thello\rworld\r\n2\tnext\r\n")
    with open_stream(path, {"id", "text"}) as stream:
        assert [record.values["text"] for record in stream.records] == ["hello\rworld", "next"]


def write_table(path, names, row):
    """Write a table with one row, in the format given by the path's suffix."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table({name: [value] for name, value in zip(names, row, strict=True)}), path)
    elif path.suffix == ".jsonl":
        path.write_text(json.dumps(dict(zip(names, row, strict=True))) + "\n", encoding="utf-8")
    else:
        mark = "\t" if path.suffix == ".tsv" else ","
        path.write_text(f"{mark.join(names)}\n{mark.join(row)}\n", encoding="utf-8")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_column_names_match_by_folded_spelling(tmp_path, suffix):
    path = tmp_path / f"posts{suffix}"
    write_table(path, ["ID", "Te\u200bxt ", "note"], ["1", "one", "n"])
    assert records_of(path)[0][1].items() >= {"id": "1", "text": "one"}.items()
    write_table(path, ["id", "Text", "text"], ["1", "another", "one"])
    assert records_of(path)[0][1].items() >= {"id": "1", "text": "one"}.items()


def test_two_spellings_of_a_column_are_ambiguous(tmp_path):
    path = tmp_path / "posts.csv"
    write_table(path, ["id", "Text", "TEXT"], ["1", "one", "two"])
    with open_stream(path, ["id", "text"]) as stream:
        assert list(stream.columns).count("text") == 2
    write_table(path.with_suffix(".jsonl"), ["id", "Text", "TEXT"], ["1", "one", "two"])
    assert "text" not in records_of(path.with_suffix(".jsonl"))[0][1]
