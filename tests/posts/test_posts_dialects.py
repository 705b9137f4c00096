"""Test the reading of delimited files as written by spreadsheets and programs."""

import csv
import gzip
import io
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babelgrid.config.posts import Posts
from babelgrid.config.predictions import Import
from babelgrid.config.prompt import Label
from babelgrid.errors import UserError
from babelgrid.posts.formats import MAX_CHARACTERS_OF_A_ROW
from babelgrid.posts.imported_mixtures import mixture_names
from babelgrid.posts.rejects import Reason
from babelgrid.posts.stream import open_stream

ROWS = [["language", "text", "label"], ["en", 'a "b"; c, d\te', "pro"], ["hu", "első\nés második", "anti"]]


def rows_of(path, columns=("language", "text", "label")):
    """Return the readable rows, and the line and reason of each broken row."""
    with open_stream(path, columns) as stream:
        records = list(stream.records)
    good = [[record.values[name] for name in columns] for record in records if not record.broken]
    return good, [(record.line, record.broken) for record in records if record.broken]


def written(rows, **dialect):
    text = io.StringIO()
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("name", ["posts.csv", "posts.tsv", "posts.csv.gz"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_delimiter_and_encoding_are_detected(tmp_path, name, delimiter, encoding):
    content = written(ROWS, delimiter=delimiter).encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert rows_of(tmp_path / name) == (ROWS[1:], [])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", ":"])
@pytest.mark.parametrize("line", ["sep={}\r\n", '"sep={}"\r\n', "\ufeffsep={}\n"])
def test_excel_separator_line_sets_delimiter(tmp_path, delimiter, line):
    content = line.format(delimiter) + written(ROWS, delimiter=delimiter)
    (tmp_path / "posts.csv").write_text(content, encoding="utf-8", newline="")
    assert rows_of(tmp_path / "posts.csv") == (ROWS[1:], [])


@pytest.mark.parametrize(
    "header",
    ["\ufeff\ufefftext,label", " text , label ", '"text","label"', "\n\ntext,label", "text,label,,", "text,,label,"],
)
def test_header_ignores_marks_spaces_and_empty_names(tmp_path, header):
    row = (
        header.strip()
        .replace("\ufeff", "")
        .replace('"', "")
        .replace("text", "x")
        .replace("label", "pro")
        .replace(" ", "")
    )
    (tmp_path / "posts.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    assert rows_of(tmp_path / "posts.csv", ("text", "label")) == ([["x", "pro"]], [])


FIELD = st.text(alphabet=st.sampled_from("ab,;|\t\"'\n\r é한"), max_size=5)


@pytest.mark.slow
@settings(max_examples=150)
@given(
    rows=st.lists(st.tuples(FIELD, FIELD, FIELD), max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    suffix=st.sampled_from([".csv", ".tsv"]),
)
def test_table_round_trips_or_rows_are_marked(tmp_path_factory, rows, delimiter, quoting, end, suffix):
    path = tmp_path_factory.mktemp("csv") / f"posts{suffix}"
    columns = ("one", "two", "three")
    text = written([columns, *rows], delimiter=delimiter, quoting=quoting, lineterminator=end)
    path.write_text(text, encoding="utf-8", newline="")
    good, broken = rows_of(path, columns)

    def without_ends(row):
        """Strip line breaks next to line ends: Python before 3.13 quotes only breaks equal to its own line end."""
        return row if end == "\r\n" else [row[0].lstrip("\r\n"), row[1], row[2].rstrip("\r\n")]

    if not broken:
        wanted = [without_ends(list(row)) for row in rows if any(field.strip() for field in row)]
        assert [without_ends(list(row)) for row in good] == wanted


def test_line_break_next_to_quoted_tsv_field_is_marked(tmp_path):
    path = tmp_path / "posts.tsv"
    path.write_bytes(b'language\ttext\tlabel\r\t\n\t""""\ren\tsaid "no"\n\tpro\ren\tlast\tpro\r')
    good, broken = rows_of(path)
    assert good == [["en", 'said "no"\n', "pro"], ["en", "last", "pro"]]
    assert broken == [(2, Reason.BROKEN_RECORD)]


@pytest.mark.parametrize(
    "content",
    [
        b'pro,en,"open\npro,en,fine\nanti,en,"closed, far\nanti,en,last\n',
        b"pro,en,hello\rworld\npro,en,fine\nanti,en,last\n",
        b"pro,en,too,many\npro,en,fine\nanti,en\nanti,en,last\n",
    ],
    ids=["quote", "carriage return", "fields"],
)
def test_partial_row_is_never_read(tmp_path, content):
    (tmp_path / "posts.csv").write_bytes(b"label,language,text\n" + content)
    good, broken = rows_of(tmp_path / "posts.csv")
    assert [text for _, text, _ in good] == ["fine", "last"]
    assert broken[0] == (2, Reason.BROKEN_RECORD)


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_rows_inside_a_distant_quote_pair_are_marked(tmp_path, delimiter):
    middle = [f"en{delimiter}row {number}{delimiter}pro\n" for number in range(20)]
    lines = ['en|"opened|pro\n', *middle, 'en|closed"|pro\n', "en|last|pro\n"]
    content = "language|text|label\n" + "".join(lines)
    (tmp_path / "posts.csv").write_text(content.replace("|", delimiter), encoding="utf-8")
    good, broken = rows_of(tmp_path / "posts.csv")
    assert good == [["en", "last", "pro"]]
    assert [line for line, _ in broken] == list(range(2, 24))


def test_multiline_text_is_read_in_csv_and_tsv(tmp_path):
    text = "one, two, three\n\nfour, five\nsix\n" * 20
    for delimiter in ",\t":
        (tmp_path / "posts.csv").write_text(
            written([*ROWS, ["en", text, "pro"]], delimiter=delimiter), "utf-8", newline=""
        )
        good, broken = rows_of(tmp_path / "posts.csv")
        assert (good[-1][1], broken) == (text, [])


def test_wrong_encoding_error_gives_solution(prepare, write):
    write("a.csv", "language,text,label\nen,caf\u00e9,pro\nen,the other,pro\n".encode("cp1252"))
    with pytest.raises(UserError, match=r"line 2: broken encoding, column 'text'.*Windows-1252, save it as UTF-8"):
        prepare()
    posts, dropped = prepare(on_error="drop")
    assert list(posts["text"]) == ["the other"]
    assert list(dropped["reason"]) == ["broken encoding"]


def test_truncated_utf16_is_a_broken_row(tmp_path):
    content = written(ROWS).encode("utf-16")[:-3]
    (tmp_path / "posts.csv").write_bytes(content)
    with open_stream(tmp_path / "posts.csv", ()) as stream:
        values = [list(record.values.values()) for record in stream.records]
    assert values[0] == ROWS[1]
    assert "\udcff" in values[1][-1]


def test_trailing_rows_of_separators_are_ignored(prepare, write):
    write("a.csv", "language,text,label,part\nen,one of these,pro,train\nen,two of those,anti,test\n,,,\n , ,,\n,,,\n")
    posts, dropped = prepare(columns={"part": "part"})
    assert len(posts) == 2
    assert dropped.empty


def test_words_for_missing_values_are_text(prepare, write):
    words = ["NA", "None", "null", "nan", "NULL", "#N/A", "N/A", "<NA>"]
    rows = [["nan", f"{word}", "None", word, word] for word in words]
    write("a.csv", written([["language", "text", "label", "id", "source"], *rows]))
    labels = {"None": Label(answer=" none"), "pro": Label(answer=" pro")}
    posts, dropped = prepare(
        labels=labels, columns={"id": "id", "source_id": "source"}, duplicates={"near": None}, on_error="drop"
    )
    assert len(posts) + len(dropped) == len(words)
    assert set(dropped["reason"]) <= {"duplicate"}
    assert set(posts["language"]) == {"nan"}
    assert set(posts["label"]) == {"None"}
    assert set(posts["source_id"]) <= set(words)


def test_every_kind_of_bad_row_is_dropped(prepare, write):
    rows = [
        "en,fine,pro,train",
        "qq,x,pro,train",
        "en,x y,pro,extra",
        "en,,pro,test",
        "en,x,why,test",
        "en,good,pro,test",
    ]
    write("a.csv", "\n".join(["language,text,label,part", *rows, '"en",a,b']))
    posts, dropped = prepare(columns={"part": "part"}, on_error="drop")
    assert list(posts["text"]) == ["fine", "good"]
    reasons = ["unknown language", "unknown part", "empty text", "unknown label", "broken record"]
    assert list(zip(dropped["line"], dropped["reason"], strict=True)) == list(zip("34568", reasons, strict=True))


def test_left_out_part_is_not_read(prepare, write):
    write("a.csv", "language,text,label,part\nen,fine,pro,train\nqq,,what,Unlabelled \nen,good,pro,test\n")
    posts, dropped = prepare(columns={"part": "part"}, leave_out=["unlabelled"])
    assert list(posts["id"]) == ["en-1", "en-2"]
    assert dropped.empty
    with pytest.raises(UserError, match=r"line 3: unknown part 'Unlabelled '.*posts\.leave_out"):
        prepare(columns={"part": "part", "language": "language"}, aliases={"qq": "en"})


def test_file_of_left_out_part_is_not_opened(prepare, write):
    for part in ("train", "test"):
        write(f"{part}.csv", f"language,text,label\nen,the {part} post,pro\n")
    write("unlabelled.csv", b"\xff\xfe\x00not a table")
    posts, _ = prepare("{part}.csv", leave_out=["unlabelled"])
    assert len(posts) == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"leave_out": ["x"]}, "leave_out names values of columns.part"),
        ({"leave_out": ["x"], "parts": {"test": ["x"]}, "columns": {"part": "part"}}, "'x' is also in parts.test"),
    ],
)
def test_part_cannot_be_read_and_left_out(given, expected):
    with pytest.raises(ValueError, match=expected):
        Posts(files=["a.csv"], **given)


LONG = MAX_CHARACTERS_OF_A_ROW // 2**20


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("shape", ["one line", "an open quote", "a quoted field"])
def test_endless_row_is_marked_in_constant_memory(tmp_path, kind, shape):
    path = tmp_path / f"posts.{kind}.gz"
    with gzip.open(path, "wb", 1) as stream:
        stream.write(
            b'{"text": "first"}\n'
            if kind == "jsonl"
            else b"id\ttext\n1\tfirst\n"
            if kind == "tsv"
            else b"id,text\n1,first\n"
        )
        if shape != "one line":
            stream.write(b'2,"')
        for _ in range(16 * LONG):
            stream.write(b"a" * 2**20 + (b"\n" if shape == "an open quote" else b""))
        if shape == "a quoted field":
            stream.write(b'"')
        stream.write(b'\n{"text": "last"}\n' if kind == "jsonl" else b"\n3\tlast\n" if kind == "tsv" else b"\n3,last\n")
    tracemalloc.start()
    good, broken = rows_of(path, ("text",))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert good == [["first"], ["last"]]
    assert broken[0] == (2 if kind == "jsonl" else 3, Reason.BROKEN_RECORD)
    assert peak < 12 * MAX_CHARACTERS_OF_A_ROW


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"text": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"text": ' + "1" * 5000 + "}", "a number with too many digits"),
        ('{"text": "a", "text": "b"}', "has a duplicate name"),
        ('{"text": 1e999, "id": 1e999}', "floating-point number"),
    ],
)
def test_unusual_json_fault_names_line_and_cause(write, prepare, line, expected):
    row = '{"language": "en", "text": "fine", "label": "pro", "id": 1}\n'
    write("a.jsonl", f"{row}{line}\n{row.replace('1', '2').replace('fine', 'good')}")
    with pytest.raises(UserError, match=rf"line 2: broken record.*{expected}"):
        prepare("a.jsonl", columns={"id": "id"})
    posts, _ = prepare("a.jsonl", columns={"id": "id"}, on_error="drop")
    assert list(posts["text"]) == ["fine", "good"]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_posts_may_be_compressed(tmp_path, prepare, name):
    csv_text = "language,text,label\nen,fine,pro\nen,good,what\n"
    json_text = '{"language":"en","text":"fine","label":"pro"}\n\n{"language":"en","text":"good","label":"what"}\n'
    (tmp_path / name).write_bytes(gzip.compress((json_text if "jsonl" in name else csv_text).encode()))
    with pytest.raises(UserError, match=r"gz, line 3: unknown label 'what'"):
        prepare(name)


def test_mixture_names_are_read_from_spreadsheet_csv(tmp_path):
    content = "sep=;\r\nid;mixture;predicted\r\n1;en;pro\r\n2;en-es;pro\r\n;;\r\n"
    (tmp_path / "told.csv").write_bytes(content.encode("utf-16"))
    assert mixture_names(Import(files=[str(tmp_path / "told.csv")])) == ["en", "en-es"]
