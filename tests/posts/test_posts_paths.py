"""Test the search for files by the patterns in the config, and the names of shards."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelgrid.errors import UserError
from babelgrid.posts.paths import _shard_name, files_within, find_files, name_shards


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def files(*names):
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text("text\n", encoding="utf-8")

    return files


def found(*patterns):
    return [str(file.path) for file in find_files(patterns)]


def test_existing_file_name_with_brackets_is_literal(make):
    make("a [b] {c}/posts [final].csv", "a [b] {c}/posts f.csv")
    assert found("a [b] {c}/posts [final].csv") == ["a [b] {c}/posts [final].csv"]
    assert found("a [b] {c}/posts [f].csv") == ["a [b] {c}/posts f.csv"]


def test_existing_leading_folders_are_literal(make):
    make("a [b] {c}/en-train.csv", "a [b] {c}/hu-train.csv", "a b/de-train.csv")
    assert found("a [b] {c}/*.csv") == ["a [b] {c}/en-train.csv", "a [b] {c}/hu-train.csv"]
    read = find_files(["./a [b] {c}/{language}-{part}.csv"])
    assert [(file.language, file.part) for file in read] == [("en", "train"), ("hu", "train")]
    assert found("a [a-c]/*.csv") == ["a b/de-train.csv"]


def test_files_within_skips_hidden_files(make, tmp_path):
    make("data/en/a.csv", "data/b.csv", "data/.cache/x", "data/.lock")
    assert [str(path) for path in files_within("data")] == ["data/b.csv", "data/en/a.csv"]
    assert files_within("nowhere") == []
    hidden = tmp_path / ".hidden/data"
    hidden.mkdir(parents=True)
    (hidden / "a.csv").touch()
    assert files_within(hidden) == [hidden / "a.csv"]


def test_shard_names_lose_only_known_suffixes(make):
    make("x/tweets.2020-01.csv", "x/tweets.2020-02.csv.gz", "x/v1.5.JSONL.zst", "x/a.parquet", "x/b.ndjson")
    assert list(name_shards(["x/*"])) == ["a", "b", "tweets.2020-01", "tweets.2020-02", "v1.5"]


@pytest.mark.parametrize("patterns", [["*/part.csv"], ["en/part.csv", "es/part.csv"], ["**/*.csv"]])
def test_adding_files_renames_no_shard(make, patterns):
    make("en/part.csv", "es/part.csv")
    before = name_shards(patterns)
    assert sorted(before.values()) == ["en/part.csv", "es/part.csv"]
    make("ar/part.csv", "de/part.csv")
    after = name_shards([*patterns, "ar/part.csv"])
    assert len(after) > 2
    assert before.items() <= after.items()


def test_file_matched_by_two_patterns_is_one_shard(make, tmp_path):
    make("x/a.csv")
    assert name_shards(["x/a.csv", "x/*.csv", "./x/a.csv"]) == {"a": "x/a.csv"}
    assert len(name_shards(["x/a.csv", str(tmp_path / "x/a.csv")])) == 1


def test_two_files_with_one_shard_name_are_refused(make):
    make("x/a.csv", "x/a.csv.gz")
    with pytest.raises(UserError, match=r"classify.input: x/a.csv and x/a.csv.gz would both be named 'a'"):
        name_shards(["x/*"])


@given(st.lists(st.text(st.characters(blacklist_characters="/\0", codec="utf-8"), min_size=1), min_size=1, max_size=4))
def test_shard_names_are_short_and_safe_in_a_path(pieces):
    name = _shard_name("/".join(pieces))
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name)
    assert len(name) <= 72


def test_shard_names_of_different_folders_differ():
    odd = [
        "en/part.csv",
        "en-part.csv",
        "en part.csv",
        "en/part.tsv",
        "e/n/part.csv",
        "ён.csv",
        "ен.csv",
        f"{'x' * 99}.csv",
    ]
    assert len({_shard_name(path) for path in odd}) == len(odd)


def test_shard_names_of_patterns_outside_working_folder(make, monkeypatch):
    make("work/here.csv", "data/en/a.csv", "data/b.csv")
    monkeypatch.chdir("work")
    names = name_shards(["../data/**/*.csv"])
    assert list(names.values()) == ["../data/b.csv", "../data/en/a.csv"]
    assert "b" in names
