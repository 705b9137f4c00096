import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from babelgrid.config.prompt import Label
from babelgrid.errors import UserError
from babelgrid.mixture import Mixture, Needs
from babelgrid.posts.check import check_counts, check_posts, count_labels
from babelgrid.posts.extract import extract_posts
from babelgrid.posts.report import report_posts
from babelgrid.runtime.files import read_csv, read_parquet, write_parquet

COLUMNS = {"columns": {"id": "id", "part": "part"}}
DATA = """language,part,id,label,text
en,train,1,pro,a first train post
en,train,2,anti,a second and other train text
en,test,3,pro,A FIRST train post http://a.b @name
en,test,4,anti,an unlike post in the test part
en,train,5,anti,@z a first train post
hu,train,1,pro,egy magyar mondat
hu,test,2,pro,egy egészen más mondat itt
ko,test,1,anti,한국어 문장
ko,test,2,what,secret
"""


@pytest.fixture
def stage(write, prepare, tmp_path):
    write("a.csv", DATA)
    prepare(**COLUMNS, on_error="drop")
    return tmp_path / "out"


def test_posts_table_has_strings_and_provenance(stage):
    posts = pd.read_parquet(stage / "all.parquet")
    assert list(posts.columns) == ["id", "language", "text", "label", "split", "group", "source_id"]
    assert all(pd.api.types.is_string_dtype(posts[column]) for column in posts)
    record = json.loads(pq.read_schema(stage / "all.parquet").metadata[b"babelgrid"])
    assert list(record["inputs"]) == ["a.csv"]
    assert record["settings"]["seed"] == 1


def test_same_input_gives_same_bytes(stage, prepare):
    files = [stage / "all.parquet", stage / "dropped.csv"]
    before = [path.read_bytes() for path in files]
    prepare(**COLUMNS, on_error="drop")
    assert [path.read_bytes() for path in files] == before


def test_dropped_rows_are_listed_without_text(stage):
    dropped = pd.read_csv(stage / "dropped.csv", dtype="str", keep_default_na=False)
    assert list(dropped.columns) == ["file", "line", "id", "language", "split", "label", "reason", "twin_id"]
    assert list(zip(dropped["line"], dropped["id"], dropped["reason"], dropped["twin_id"], strict=True)) == [
        ("10", "ko-2", "unknown label", ""),
        ("2", "en-1", "leak: copy of a test post", "en-3"),
        ("6", "en-5", "leak: copy of a test post", "en-3"),
    ]
    assert "secret" not in (stage / "dropped.csv").read_text()


def test_outputs_contain_no_local_paths_or_formulas(write, prepare, tmp_path):
    rows = ["id,language,part,label,text", "=1+1,en,train,pro,one text", "=1+2,en,train,pro,one text"]
    for name in ("alice_private/a.csv", "bob_private/a.csv"):
        write(name, "\n".join(rows).replace("one", name).replace("=1", f"={len(name)}"))
    prepare("*_private/a.csv", columns={"part": "part", "id": "id"})
    out = tmp_path / "out"
    assert list(read_csv(out / "dropped.csv")["file"]) == ["a.csv", "a.csv (2)"]
    assert "private" not in (out / "dropped.csv").read_text()
    assert ",en-=" in (out / "dropped.csv").read_text()
    record = json.loads(pq.read_schema(out / "all.parquet").metadata[b"babelgrid"])
    assert "private" not in json.dumps(record)
    assert set(record["inputs"]) == {"a.csv", "a.csv (2)"}


@pytest.fixture
def counted(stage, tmp_path):
    count_labels(stage / "all.parquet", Needs((), (), (), (), None), tmp_path / "counts")
    return tmp_path / "counts"


def test_extract_writes_one_file_per_language(stage, counted, tmp_path):
    extract_posts(stage / "all.parquet", counted / "hu.json", "hu", tmp_path / "hu.parquet")
    posts = pd.read_parquet(tmp_path / "hu.parquet")
    assert list(posts.columns) == ["id", "text", "label", "split", "group", "source_id"]
    assert list(posts["id"]) == ["hu-1", "hu-2"]


def test_extract_refuses_posts_changed_since_counting(stage, counted, tmp_path):
    posts = read_parquet(stage / "all.parquet")
    write_parquet(stage / "all.parquet", posts.iloc[::-1])
    with pytest.raises(UserError, match="the rows in 'hu' have changed since they were counted"):
        extract_posts(stage / "all.parquet", counted / "hu.json", "hu", tmp_path / "hu.parquet")
    assert not (tmp_path / "hu.parquet").exists()


def test_language_without_posts_gets_no_file(stage, counted, tmp_path):
    with pytest.raises(UserError, match=r"no posts in 'tr'\. Languages: en, hu, ko"):
        extract_posts(stage / "all.parquet", counted, "tr", tmp_path / "tr.parquet")
    assert not (tmp_path / "tr.parquet").exists()


def test_language_files_depend_only_on_own_rows(stage, counted, tmp_path):
    posts = read_parquet(stage / "all.parquet")
    more = pd.concat([posts.assign(language="tr", id="tr-" + posts["id"]), posts], ignore_index=True)
    write_parquet(tmp_path / "more.parquet", more, {"made": "elsewhere"})
    count_labels(tmp_path / "more.parquet", Needs((), (), (), (), None), tmp_path / "again")
    for name, counts in (("all", counted), ("more", tmp_path / "again")):
        source = stage / "all.parquet" if name == "all" else tmp_path / "more.parquet"
        extract_posts(source, counts / "hu.json", "hu", tmp_path / f"{name}-hu.parquet")
    assert (counted / "hu.json").read_bytes() == (tmp_path / "again/hu.json").read_bytes()
    assert (tmp_path / "all-hu.parquet").read_bytes() == (tmp_path / "more-hu.parquet").read_bytes()
    assert (tmp_path / "again/tr.json").exists()


@pytest.fixture
def check(write, prepare, tmp_path):
    rows = [("en", "train", "pro"), ("en", "train", "anti"), ("en", "test", "pro"), ("hu", "train", "pro")]
    rows += [("hu", "test", "pro"), ("ko", "test", "anti"), ("it", "train", "pro"), ("it", "train", "anti")]
    lines = [",".join([*row, f"a text of its own: {i * 7919} {row}".replace(",", "")]) for i, row in enumerate(rows)]
    write("a.csv", "\n".join(["language,part,label,text", *lines]))
    prepare(columns={"part": "part"})

    def run(train, test, mixtures=(), budget=None):
        nothing = Needs((), (), (), (), None)
        count_labels(tmp_path / "out/all.parquet", nothing, tmp_path / "counts")
        needs = Needs(tuple(train), tuple(test), ("pro", "anti"), tuple(mixtures), budget)
        check_posts(tmp_path / "counts", needs, tmp_path / "checked.json")
        return json.loads((tmp_path / "checked.json").read_text())

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        (["en", "ko"], ["en"], r"no train posts in 'ko'.*Languages with train posts: en 2, hu 1, it 2\."),
        (["en"], ["en", "it"], r"no test posts in 'it'.*Languages with test posts: en 1, hu 1, ko 1\."),
        (["hu"], ["en"], r"no train post of the mixture 'hu' has the label 'anti' \(labels found: pro 1\)"),
        (["ko", "hu"], ["tr"], r"(?s)no train posts in 'ko'.*no test posts in 'tr'.*of the mixture 'hu'"),
    ],
)
def test_missing_posts_for_grid_are_named(check, tmp_path, train, test, expected):
    with pytest.raises(UserError, match=expected):
        check(train, test, [Mixture(language, (language,)) for language in train])
    assert not (tmp_path / "checked.json").exists()


def test_counts_are_checked_in_every_function(check, tmp_path):
    check(["en"], ["en"])
    needs = Needs(("en",), ("it",), ("pro", "anti"), (Mixture("en", ("en",)),), None)
    with pytest.raises(UserError, match="no test posts in 'it'"):
        check_counts(tmp_path / "counts", needs)
    with pytest.raises(UserError, match="no test posts in 'it'"):
        count_labels(tmp_path / "out/all.parquet", needs, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_counts_depend_only_on_posts(check, tmp_path):
    check(["en"], ["en"])
    needs = Needs(("en",), ("en",), ("pro",), (Mixture("en", ("en",)),), 2)
    count_labels(tmp_path / "out/all.parquet", needs, tmp_path / "again")
    for path in (tmp_path / "counts").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_label_may_come_from_any_language_of_mixture(check):
    assert check(["en", "hu"], ["en"], [Mixture("en+hu", ("en", "hu"))]) == {"en+hu": {"en": 2, "hu": 1}}


def test_mixture_with_too_many_posts_is_refused(check):
    with pytest.raises(UserError, match=r"mixture 'en\+it@3': asks for 3 train posts in 'it', but the data has 2"):
        check(["en", "it"], ["en"], [Mixture("en+it@3", ("en",), "it", 3)])


def test_posts_taken_by_each_mixture_are_written(check):
    mixtures = [Mixture("none"), Mixture("en+it", ("en", "it")), Mixture("en+it@1", ("en",), "it", 1)]
    assert check(["en", "it"], ["ko"], mixtures) == {"en+it": {"en": 2, "it": 2}, "en+it@1": {"en": 2, "it": 1}}
    assert check(["en", "it"], ["ko"], mixtures, 2) == {"en+it": {"en": 1, "it": 1}, "en+it@1": {"en": 1, "it": 1}}


@pytest.fixture
def report(stage):
    posts = pd.read_parquet(stage / "all.parquet")
    counted = posts[posts["language"].isin(["en", "ko"])]
    tokens = counted[["id", "language"]].assign(
        text_tokens=range(2, 2 + len(counted)), prompt_tokens=40, truncated=False
    )
    tokens.iloc[-1, -1] = True
    tokens.to_parquet(stage / "tokens.parquet")
    paths = [stage / name for name in ("all.parquet", "dropped.csv", "tokens.parquet")]
    report_posts(*paths, ["pro", "anti"], stage / "report.json", stage / "report.md")
    return json.loads((stage / "report.json").read_text()), (stage / "report.md").read_text()


def test_report_accounts_for_every_row(report):
    content, _ = report
    assert content["rows"] == {"read": 9, "kept": 6, "dropped": 3}
    assert content["dropped"] == {"unknown label": 1, "leak: copy of a test post": 2}
    assert content["languages"]["ko"] == {"kept": 1, "dropped": 1}
    assert content["balance"]["en"]["test"] == {"pro": 1, "anti": 1}


def test_report_counts_leaks_and_label_conflicts(report):
    content, _ = report
    assert content["leaks"] == {"rows": 2, "test_rows_with_an_exact_train_copy": 1}
    assert content["copies_with_another_label"] == 1


def test_report_counts_tokens_per_word_and_character(report):
    content, _ = report
    assert set(content["tokens"]) == {"en", "ko"}
    assert content["tokens"]["ko"]["max"] == 5
    assert content["tokens"]["ko"]["per_word"] == 2.5
    assert content["tokens"]["ko"]["per_character"] == round(5 / 6, 3)
    assert content["tokens"]["ko"]["truncated"] == 1
    assert content["tokens"]["en"]["mean"] == 3


def test_markdown_report_contains_no_post_text(report, stage):
    _, markdown = report
    assert "9 rows were read, 6 kept and 3 dropped" in markdown
    for text in pd.read_parquet(stage / "all.parquet")["text"]:
        assert text not in markdown


@pytest.mark.real
def test_leaks_are_found_in_real_tweets(real_data, prepare, stage):
    path = real_data("immigration13/tweets.csv")
    labels = {name: Label(answer=name) for name in ("pro-immigration", "anti-immigration", "neutral", "unrelated")}
    posts, dropped = prepare(
        str(path),
        labels=labels,
        aliases={"in": "id"},
        columns={"language": "lang", "id": "id", "part": "part"},
        parts={"train": ["train"], "test": ["test", "test_extra"]},
    )
    assert len(posts) + len(dropped) == 4470
    assert posts["language"].nunique() == 13
    tokens = posts[["id", "language"]].assign(text_tokens=1, prompt_tokens=1, truncated=False)
    tokens.to_parquet(stage / "tokens.parquet")
    paths = [stage / name for name in ("all.parquet", "dropped.csv", "tokens.parquet")]
    report_posts(*paths, list(labels), stage / "report.json", stage / "report.md")
    leaks = json.loads((stage / "report.json").read_text())["leaks"]
    assert 30 <= leaks["test_rows_with_an_exact_train_copy"] <= 40


@pytest.mark.real
def test_parallel_sentences_stay_in_one_part(real_data, prepare):
    folder = real_data("sib200")
    topics = ["science/technology", "travel", "politics", "sports", "health", "entertainment", "geography"]
    labels = {name: Label(answer=name) for name in topics}
    columns = {"label": "category", "id": "index_id", "source_id": "index_id", "language": None}
    given, dropped = prepare(f"{folder}/{{language}}/{{part}}.tsv", labels=labels, columns=columns)
    sizes = given.groupby(["language", "split"]).size().unstack()
    assert len(dropped) == 0
    assert len(sizes) == 13
    assert (sizes == {"dev": 99, "test": 204, "train": 701}).all(axis=None)
    seeded, _ = prepare(f"{folder}/{{language}}/*.tsv", labels=labels, columns=columns)
    assert (seeded.groupby("source_id")["split"].nunique() == 1).all()
