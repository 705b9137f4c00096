"""Test that an identifier is the same in every type, file format and reader."""

import csv
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babelgrid.analysis.scores.imported import import_predictions
from babelgrid.classify import reader as archives
from babelgrid.classify.reader import Archive, Slice, read_groups
from babelgrid.config.classify import ArchiveColumns, Classify
from babelgrid.config.posts import Posts
from babelgrid.config.predictions import Import
from babelgrid.config.prompt import Label, Prompt
from babelgrid.errors import UserError
from babelgrid.posts.identifiers import as_id, why_no_id
from babelgrid.posts.read import read_posts

LABELS = {"pro": Label(answer=" pro"), "anti": Label(answer=" anti")}
BEYOND = 2**53 + 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, "3"),
        (3.0, "3"),
        ("3", "3"),
        (" 3.0\u00a0", "3"),
        (np.int64(3), "3"),
        (np.float32(3), "3"),
        (Decimal("3.00"), "3"),
        (-0.0, "0"),
        ("-0.0", "0"),
        (BEYOND, str(BEYOND)),
        (str(BEYOND), str(BEYOND)),
        (Decimal(BEYOND), str(BEYOND)),
        (2**53 - 1.0, str(2**53 - 1)),
        ("007", "007"),
        ("007.0", "007.0"),
        ("3.10", "3.10"),
        ("3.1", "3.1"),
        (3.1, "3.1"),
        (np.float32(3.1), "3.1"),
        ("3.00", "3.00"),
        ("1e5", "1e5"),
        ("12e45678", "12e45678"),
        ("1E+05", "1E+05"),
        (1e5, "100000"),
        (True, "True"),
        (np.True_, "True"),
        ("NA", "NA"),
        ("nan", "nan"),
        (float("nan"), ""),
        (Decimal("NaN"), ""),
        (None, ""),
        ("e\u0301", "\u00e9"),
        (b"x", "x"),
        (pd.Timestamp("2020-01-02").date(), "2020-01-02"),
    ],
)
def test_canonical_form_of_identifier(value, expected):
    assert as_id(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        float(2**53),
        1e300,
        float("inf"),
        np.float32(2**24),
        np.float16(2**11),
        f"{2**53}.0",
        "1.23457E+18",
        "1e+16",
        "1.6777216e+07",
        [3],
    ],
)
def test_inexact_number_or_list_is_not_an_identifier(value):
    assert as_id(value) is None
    assert why_no_id(value)


def write_ids(path, ids):
    """Write posts with ids of one type, in the format given by the path's suffix."""
    texts = [f"the text with number {number} of all" for number in range(len(ids))]
    table = pa.table({"key": ids, "language": ["en"] * len(ids), "text": texts, "label": ["pro"] * len(ids)})
    frame = table.to_pandas()
    if path.suffix in (".csv", ".tsv"):
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in table.to_pylist()), encoding="utf-8")
    else:
        pq.write_table(table, path)


def read_ids(path):
    columns = {"id": "key", "source_id": "key", "group": "key"}
    posts, drops = read_posts(Posts(files=[str(path)], columns=columns), LABELS, {})
    assert [*posts["id"].str.removeprefix("en-")] == [*posts["source_id"]] == [*posts["group"]]
    return [*posts["source_id"]], [drop.reason.value for drop in drops]


@settings(max_examples=10)
@given(
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4, unique=True),
    kind=st.sampled_from(["csv", "tsv", "jsonl", "parquet"]),
    as_type=st.sampled_from(["int64", "float64", "float32", "text"]),
)
def test_number_is_same_identifier_in_every_format(tmp_path_factory, numbers, kind, as_type):
    path = tmp_path_factory.mktemp("ids") / f"posts.{kind}"
    exact = {"float64": 2**53 - 1, "float32": 10**6}.get(as_type)
    if exact:
        numbers = [*{number % exact for number in numbers}]
    expected = [str(number) for number in numbers]
    types = {"int64": pa.int64(), "float64": pa.float64(), "float32": pa.float32(), "text": pa.string()}
    write_ids(path, pa.array(expected if as_type == "text" else numbers, types[as_type]))
    assert read_ids(path) == (expected, [])


def test_inexact_floats_are_reported_in_every_format(tmp_path):
    for kind in ("csv", "jsonl", "parquet"):
        write_ids(tmp_path / f"posts.{kind}", pa.array([1.0, float(2**60)]))
        columns = {"id": "key"}
        _, drops = read_posts(Posts(files=[str(tmp_path / f"posts.{kind}")], columns=columns), LABELS, {})
        assert [drop.reason.value for drop in drops] == ["broken record"]
        assert "column 'key' contains a" in drops[0].explanation


def test_missing_source_ids_do_not_hide_translations(prepare, tmp_path):
    """Pandas converts a column of integers with a missing value to floats."""
    rows = [{"text": f"sentence of number {number} here", "label": "pro"} for number in range(4)]
    english = pd.DataFrame(rows).assign(language="en", part="train", source=[1, 2, 3, 4])
    korean = pd.DataFrame(rows).assign(language="ko", part="test", source=[1, None, 3, 4])
    english.to_csv(tmp_path / "a.csv", index=False)
    korean.to_csv(tmp_path / "b.csv", index=False)
    posts, dropped = prepare(columns={"source_id": "source", "part": "part"})
    assert list(dropped["reason"]) == ["leak: same source as a test post"] * 3
    assert list(posts.loc[posts["language"] == "en", "source_id"]) == ["2"]


def test_id_clashing_with_prefixed_id_is_an_error(prepare, write):
    write("a.csv", "language,text,label,id\nen,the first,pro,5\nen,the second,pro,en-5\n")
    with pytest.raises(UserError, match=r"line 3: duplicate id 'en-5', already used in .*line 2.*prefixed with"):
        prepare(columns={"id": "id"})


def test_archive_and_imports_share_identifiers_with_posts(tmp_path, monkeypatch):
    write_ids(tmp_path / "archive.parquet", pa.array([3.0, 4.5, None]))
    monkeypatch.setattr(archives, "load_tokenizer", lambda _: None)
    monkeypatch.setattr(archives, "frame_of", lambda *_: None)
    monkeypatch.setattr(archives, "encode_prompts", lambda _, texts, *__: [[0] for _ in texts])
    settings = Classify(input=["-"], adapter="none", columns=ArchiveColumns(id="key"))
    [group] = read_groups(Archive(Slice(tmp_path / "archive.parquet"), settings, {}, Prompt(), ""))
    assert [row["id"] for row in group.rows] == ["3", "4.5", ""]

    (tmp_path / "told.csv").write_text(
        "id,language,mixture,gold,predicted,seed\n3.0,en,en,pro,pro,1.0\n", encoding="utf-8"
    )
    told = Import(files=[str(tmp_path / "told.csv")], columns={"seed": "seed"})
    outputs = {("en", 1, "en"): tmp_path / "cell.parquet"}
    import_predictions(told, labels=LABELS, aliases={}, mixtures={"en": "en"}, seed=1, outputs=outputs)
    assert list(pd.read_parquet(tmp_path / "cell.parquet")["id"]) == ["en-3"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (["1.23E+18", "en", "en", "pro", "pro"], r"line 2: broken record, column 'id' contains a number rounded"),
        (["", "en", "en", "pro", "pro"], r"line 2: column 'id' is empty"),
        (["3", "zz-?", "en", "pro", "pro"], r"unknown language 'zz-\?'\. Use a BCP-47"),
    ],
)
def test_import_names_invalid_identifier_or_language(tmp_path, row, expected):
    with (tmp_path / "told.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["id", "language", "mixture", "gold", "predicted"], row])
    told = Import(files=[str(tmp_path / "told.csv")])
    with pytest.raises(UserError, match=expected):
        import_predictions(told, labels=LABELS, aliases={}, mixtures={"en": "en"}, seed=1, outputs={})
