import json

import pandas as pd
import pytest

from babelgrid.config.posts import Posts
from babelgrid.errors import UserError

GOOD = "language,text,label\nen,one of these,pro\nen,two of those,anti\n"


def columns(**given):
    return {"columns": {"text": "text", "label": "label", "language": "language", **given}}


def test_every_format_gives_the_same_posts(write, prepare, tmp_path):
    rows = [{"id": 7, "language": "en", "text": 'a "b", c', "label": "pro"}]
    rows += [{"id": 8, "language": "hu", "text": "második sor", "label": "anti"}]
    frame = pd.DataFrame(rows)
    frame.to_csv(tmp_path / "posts.csv", index=False)
    frame.to_csv(tmp_path / "posts.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "posts.parquet")
    write("posts.jsonl", "\n\n".join(json.dumps(row) for row in rows))
    first, *others = [prepare(f"posts.{kind}", **columns(id="id"))[0] for kind in ("csv", "tsv", "parquet", "jsonl")]
    assert list(first["text"]) == ['a "b", c', "második sor"]
    for other in others:
        pd.testing.assert_frame_equal(first, other)


def test_labels_match_by_alias_ignoring_case_and_spaces(write, prepare):
    write("a.csv", "language,text,label\nen,the first, PRO \nen,the second,For\nen,the third,aNti\n")
    posts, _ = prepare()
    assert list(posts["label"]) == ["pro", "pro", "anti"]


def test_language_codes_are_standardised(write, prepare):
    write("a.csv", "language,text,label\nin,the first,pro\nENG,the second,pro\nxyzzy,the third,pro\n")
    posts, _ = prepare(aliases={"xyzzy": "hu"})
    assert list(posts["language"]) == ["id", "en", "hu"]


def test_ids_are_prefixed_with_language_once(write, prepare):
    write("a.csv", "language,text,label,key\nen,the first,pro,5\nhu,the second,pro,5\nhu,the third,pro,hu-6\n")
    assert list(prepare(**columns(id="key"))[0]["id"]) == ["en-5", "hu-5", "hu-6"]


def test_rows_without_ids_are_numbered_by_language(write, prepare):
    write("a.csv", "language,text,label\nen,the first,pro\nhu,the second,pro\nen,the third,pro\n")
    assert list(prepare()[0]["id"]) == ["en-1", "hu-1", "en-2"]


def test_path_gives_language_and_part(write, prepare):
    for language in ("en", "hu"):
        for part in ("train", "validation", "test"):
            write(f"data/{language}/{part}.csv", f"text,label\nthe {part} post,pro\n")
    posts, _ = prepare("data/{language}/{part}.csv", **columns(language=None))
    assert sorted(zip(posts["language"], posts["split"], posts["text"], strict=True)) == sorted(
        (language, part, f"the {value} post")
        for language in ("en", "hu")
        for part, value in (("train", "train"), ("dev", "validation"), ("test", "test"))
    )


def test_placeholder_matches_part_of_a_name(write, prepare):
    write("a/posts_en_2024.csv", "text,label\nthe first,pro\n")
    write("a/b/posts_hu_2024.csv", "text,label\nthe second,pro\n")
    posts, _ = prepare("**/posts_{language}_*.csv", **columns(language=None))
    assert set(posts["language"]) == {"en", "hu"}


def test_config_maps_values_to_parts(write, prepare):
    write("a.csv", "language,text,label,part\nen,the first,pro,A\nen,the second,pro,b\nen,the third,pro,c\n")
    posts, _ = prepare(**columns(part="part"), parts={"train": ["a"], "test": ["b", "c"]})
    assert list(posts["split"]) == ["train", "test", "test"]


def test_tsv_keeps_bare_quotes_and_reads_quoted_fields(write, prepare):
    lines = [
        "language\ttext\tlabel",
        'en\t"Yes" he said\tpro',
        'en\t"a ""b"" c"\tanti',
        'en\t"open only\tpro',
        "en\tlast\tpro",
    ]
    write("a.tsv", "\n".join(lines))
    posts, _ = prepare("a.tsv")
    assert list(posts["text"]) == ['"Yes" he said', 'a "b" c', '"open only', "last"]


def test_byte_order_mark_is_ignored(write, prepare):
    write("a.csv", b"\xef\xbb\xbf" + GOOD.encode())
    assert len(prepare()[0]) == 2


FAULTS = {
    "unknown label": ("language,text,label\nen,fine,pro\nen,secret,maybe\n", ["line 3", "'maybe'", "pro, anti"]),
    "misspelled label": ("language,text,label\nen,secret,ant\n", ["line 2", "did you mean 'anti'"]),
    "empty text": ("language,text,label\nen, \u200b ,pro\n", ["line 2", "empty text"]),
    "not UTF-8": (b"language,text,label\nen,secret \xff,pro\n", ["line 2", "'text'", "not UTF-8"]),
    "wrong number of fields": ("language,text,label\nen,secret,pro,9\n", ["line 2", "4 fields", "3"]),
    "unknown language": ("language,text,label\nqq,secret,pro\n", ["line 2", "'qq'", "languages.aliases"]),
    "no language": ("language,text,label\n,secret,pro\n", ["line 2", "unknown language ''"]),
    "text behind a quoted field": (
        'language,text,label\nen,x,pro\nen,"secret" y,pro\n',
        ["line 3", "not valid CSV", "double the quotes"],
    ),
    "quote that is never closed": (
        'language,text,label\nen,x,pro\nen,"secret,pro\n\n',
        ["line 3", "not valid CSV", "double the quotes"],
    ),
    "after a text of three lines": (
        'language,text,label\nen,"one\n\ntwo",pro\nen,"x\ny",maybe\nen,z,pro\n',
        ["line 5", "'maybe'"],
    ),
}


@pytest.mark.parametrize(("content", "expected"), FAULTS.values(), ids=FAULTS)
def test_bad_row_error_names_line_without_text(write, prepare, tmp_path, content, expected):
    path = write("a.csv", content)
    with pytest.raises(UserError) as error:
        prepare()
    for piece in [str(path), *expected, "on_error"]:
        assert piece in str(error.value)
    assert "secret" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("content", "expected"), FAULTS.values(), ids=FAULTS)
def test_bad_row_is_dropped_on_request(write, prepare, content, expected):
    write("a.csv", content)
    write("b.csv", "language,text,label\nhu,another text,anti\n")
    posts, dropped = prepare(on_error="drop")
    assert "another text" in set(posts["text"])
    assert len(dropped) == 1
    assert f"line {dropped['line'][0]}" in expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"text": ', "not JSON"),
        ("[1]", "list"),
        ('{"text": ["a"], "label": "pro", "language": "en"}', "contains a list"),
    ],
)
def test_broken_json_line_is_reported_or_dropped(write, prepare, line, expected):
    write("a.jsonl", '{"language": "en", "text": "fine", "label": "pro"}\n\n' + line + "\n")
    with pytest.raises(UserError, match=rf"a\.jsonl, line 3: broken record.*{expected}"):
        prepare("a.jsonl")
    posts, dropped = prepare("a.jsonl", on_error="drop")
    assert len(posts) == 1
    assert list(dropped["reason"]) == ["broken record"]


def test_broken_bytes_in_json_are_reported(write, prepare):
    write("a.jsonl", b'{"language": "en", "text": "secret \xc3\x28", "label": "pro"}\n')
    with pytest.raises(UserError, match=r"a\.jsonl, line 1: broken encoding"):
        prepare("a.jsonl")


def test_broken_bytes_in_parquet_are_reported(prepare, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.array([b"fine", b"secret \xff"]).view(pa.binary()).view(pa.string())
    table = pa.table({"language": ["en", "en"], "text": text, "label": ["pro", "anti"]})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet, row 2: broken encoding"):
        prepare("a.parquet")


def test_duplicate_id_is_reported_or_dropped(write, prepare):
    write("a.csv", "language,text,label,id\nen,the first,pro,1\nen,the second,pro,1\nhu,the third,pro,1\n")
    with pytest.raises(UserError, match=r"line 3: duplicate id 'en-1', already used in .*a\.csv, line 2"):
        prepare(**columns(id="id"))
    posts, dropped = prepare(**columns(id="id"), on_error="drop")
    assert list(posts["text"]) == ["the first", "the third"]
    assert list(dropped["twin_id"]) == ["en-1"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.csv",
            "language,txt,label\nen,x,pro\n",
            r"a\.csv: no column 'text' \(did you mean 'txt'\?\) .*posts\.columns\.text",
        ),
        ("a.csv", "language,text,text,label\nen,x,x,pro\n", "2 columns 'text'"),
        ("a.csv", "language,text,label\n", r"a\.csv: contains no rows"),
        ("a.csv", "", r"a\.csv: contains no rows"),
        ("a.parquet", "not parquet", r"a\.parquet: cannot be read"),
        ("a.txt", GOOD, r"a\.txt: the name must end in one of \.csv"),
    ],
)
@pytest.mark.parametrize("on_error", ["fail", "drop"])
def test_bad_file_is_always_an_error(write, prepare, name, content, expected, on_error):
    path = write(name, content)
    with pytest.raises(UserError, match=expected):
        prepare(name, on_error=on_error)
    assert list(path.parent.iterdir()) == [path]


def test_unknown_part_is_an_error(write, prepare):
    write("a.csv", "language,text,label,part\nen,the first,pro,tset\n")
    with pytest.raises(UserError, match=r"line 2: unknown part 'tset' \(did you mean 'test'"):
        prepare(**columns(part="part"), parts={"train": ["train"], "test": ["test"]})


def test_missing_file_error_suggests_similar_name(write, prepare):
    write("tweets.csv", GOOD)
    with pytest.raises(UserError, match=r"no file matches .*twets\.csv' \(did you mean 'tweets\.csv'"):
        prepare("twets.csv")


def test_errors_do_not_show_posts_in_place_of_names(write, prepare):
    post = "this is a long and very private post that nobody should read in a log"
    write("a.csv", f"{post},pro,en\n{post},pro,en\n")
    with pytest.raises(UserError) as header:
        prepare()
    write("a.csv", f"language,text,label\nen,pro,{post}\n")
    with pytest.raises(UserError) as label:
        prepare()
    for error in (header, label):
        assert "private" not in str(error.value)


def test_no_usable_rows_is_an_error(write, prepare):
    write("a.csv", "language,text,label\nen,x,maybe\n")
    with pytest.raises(UserError, match="none of the 1 rows can be used"):
        prepare(on_error="drop")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"files": ["a.csv"], "columns": {"language": None}}, "must contain {language}; found 'a.csv'"),
        ({"files": ["{part}.csv", "a.csv"]}, "either all paths contain {part} or none"),
        ({"files": ["a.csv"], "parts": {"test": ["x"]}}, "neither is given"),
        ({"dataset": {"name": "./x"}, "columns": {"language": None}}, "subset_is_language"),
    ],
)
def test_settings_without_language_or_part_are_refused(settings, expected):
    with pytest.raises(ValueError, match=expected):
        Posts(**settings)


def test_saved_dataset_gives_class_and_split_names(prepare, tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        language=datasets.Value("string"),
        text=datasets.Value("string"),
        label=datasets.ClassLabel(names=["pro", "anti"]),
    )

    def rows(text):
        return datasets.Dataset.from_dict({"language": ["en"], "text": [text], "label": [1]}, features=features)

    parts = datasets.DatasetDict(train=rows("to learn"), validation=rows("to choose"), test=rows("to test"))
    parts.save_to_disk(tmp_path / "saved")
    posts, _ = prepare(None, dataset={"name": str(tmp_path / "saved")})
    assert list(posts["split"]) == ["train", "dev", "test"]
    assert set(posts["label"]) == {"anti"}


def test_local_dataset_folder_is_loaded(write, prepare, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    write("folder/train.csv", GOOD)
    posts, _ = prepare(None, dataset={"name": str(tmp_path / "folder")})
    assert list(posts["text"]) == ["one of these", "two of those"]


def test_unloadable_dataset_is_an_error(prepare, tmp_path):
    pytest.importorskip("datasets")
    with pytest.raises(UserError, match=r"posts\.dataset: .*nowhere' cannot be loaded"):
        prepare(None, dataset={"name": str(tmp_path / "nowhere")})
