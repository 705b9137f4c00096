"""Classifying an archive gives the same labels as `predict`, scores each post once and survives interruptions."""

import csv
import gzip
import json
import os
import re
import shutil
import signal
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from babelgrid.classify import job as classifying
from babelgrid.classify.job import Classified, Classifier, classify
from babelgrid.classify.reader import Archive, Slice, read_groups
from babelgrid.classify.score_cache import SeenPosts
from babelgrid.config.classify import ArchiveColumns, Classify
from babelgrid.config.finetune import Predict
from babelgrid.config.prompt import Prompt
from babelgrid.errors import UserError
from babelgrid.model.predict import predict
from babelgrid.runtime.files import read_json, read_parquet
from babelgrid.runtime.job import job
from babelgrid.runtime.usage import Usage
from training import BASE, LABELS, train

SETTINGS = Classify(input=["posts.csv"], adapter="en", columns=ArchiveColumns(id="id"), rows_per_group=4)
ROWS = [(f"p{number}", f"welcome {number % 7} of us" if number % 3 else f"closed {number % 5}") for number in range(30)]


@pytest.fixture
def classifier(random_base):
    return Classifier(random_base(), BASE, None, LABELS, Predict(), "lab/none/seed0")


@pytest.fixture
def here(monkeypatch):
    """Read the archive in this process, which is faster if the reading process is not under test."""
    monkeypatch.setattr(classifying, "encoded_groups", lambda archive: nullcontext(read_groups(archive)))


@pytest.fixture
def archive_of(tmp_path, classifier):
    """Return a function that writes rows to a file and returns the archive."""

    def make(rows, settings=SETTINGS, name="posts.csv", header=("id", "text"), prompt=None):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([header, *rows])
        folder = read_json(classifier.base_path)["folder"]
        return Archive(Slice(tmp_path / name), settings, {"in": "id"}, prompt or Prompt(), folder)

    return make


def run(archive, classifier, folder, usage=None):
    out = Classified(*(folder / name for name in ("posts.parquet", "rejected.csv", "counts.json")))
    classify(archive, classifier, out, folder / "kept", code="x", usage=usage or Usage())
    assert not (folder / "kept").exists()
    return out


@pytest.mark.slow
def test_labels_and_probabilities_equal_those_of_predict(posts, random_base, archive_of, tmp_path):
    adapter = train(posts, random_base(), tmp_path / "adapter")
    classifier = Classifier(random_base(), BASE, adapter, LABELS, Predict(), "lab/en+es/seed0")
    test = read_parquet(posts["en"]).query("split == 'test'")
    predicted = tmp_path / "predicted.parquet"
    blocks = {"base": BASE, "prompt": Prompt(), "labels": LABELS, "settings": Predict(), "usage": Usage()}
    predict(random_base(), adapter, {"en": posts["en"]}, {"en": predicted}, tmp_path / "kept", **blocks, code="x")
    archive = archive_of(
        test[["id", "text"]].itertuples(index=False), SETTINGS.model_copy(update={"rows_per_group": 50})
    )
    found, expected = read_parquet(run(archive, classifier, tmp_path / "out").posts), read_parquet(predicted)
    assert found["id"].tolist() == expected["id"].tolist()
    assert found["predicted"].astype(str).tolist() == expected["predicted"].tolist()
    likely = np.exp(expected[["logp_pro", "logp_anti"]].to_numpy())
    shares = (likely / likely.sum(axis=1, keepdims=True)).astype(np.float32)
    np.testing.assert_allclose(found[["p_pro", "p_anti"]].to_numpy(), shares, rtol=1e-6)


@pytest.mark.usefixtures("here")
def test_output_names_the_model_and_contains_no_text(archive_of, classifier, tmp_path):
    out = run(archive_of(ROWS), classifier, tmp_path / "out")
    table = pq.read_table(out.posts)
    assert table.column_names == ["id", "language", "predicted", "p_pro", "p_anti", "model"]
    assert pq.read_metadata(out.posts).num_row_groups == 8
    [model] = set(table["model"].to_pylist())
    assert model.startswith("lab/none/seed0@")
    assert b"welcome" not in out.posts.read_bytes()


@pytest.mark.usefixtures("here")
def test_repeated_post_is_scored_once(archive_of, classifier, tmp_path, monkeypatch):
    scored = []
    plain = classifying.label_log_probabilities
    monkeypatch.setattr(
        classifying,
        "label_log_probabilities",
        lambda model, prompts, *rest: scored.append(len(prompts)) or plain(model, prompts, *rest),
    )
    usage = Usage()
    table = read_parquet(run(archive_of(ROWS), classifier, tmp_path / "out", usage).posts)
    texts = [text for _, text in ROWS]
    assert sum(scored) == len(set(texts))
    assert usage.posts == len(ROWS)
    assert table.assign(text=texts).groupby("text")[["p_pro", "p_anti"]].nunique().max().max() == 1


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", [1, 3, 7])
@pytest.mark.usefixtures("here")
def test_killed_job_resumes_after_the_last_complete_group(archive_of, classifier, tmp_path, monkeypatch, killed_at):
    archive = archive_of([*ROWS[:10], ("bad", ""), *ROWS[10:]])
    whole = run(archive, classifier, tmp_path / "whole")
    written = []

    class Killed(BaseException):
        pass

    def write_until_killed(table, path):
        if len(written) == killed_at:
            raise Killed
        written.append(table.num_rows)
        pq.write_table(table, path)

    with monkeypatch.context() as patch:
        patch.setattr(classifying, "write_group", write_until_killed)
        out = Classified(*(tmp_path / name for name in ("posts.parquet", "rejected.csv", "counts.json")))
        with pytest.raises(Killed):
            classify(archive, classifier, out, tmp_path / "kept", code="x", usage=Usage())
    assert not out.posts.exists()
    usage = Usage()
    classify(archive, classifier, out, tmp_path / "kept", code="x", usage=usage)
    assert usage.posts == len(ROWS) - sum(written)
    for name in ("posts", "rejected"):
        assert getattr(out, name).read_bytes() == getattr(whole, name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("change", ["archive", "code", "labels", "damage"])
@pytest.mark.usefixtures("here")
def test_damaged_groups_or_groups_of_other_inputs_are_ignored(archive_of, classifier, tmp_path, monkeypatch, change):
    out = Classified(*(tmp_path / name for name in ("posts.parquet", "rejected.csv", "counts.json")))
    with monkeypatch.context() as patch:
        patch.setattr(classifying, "_assemble", lambda *_: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            classify(archive_of(ROWS), classifier, out, tmp_path / "kept", code="x", usage=Usage())
    rows = [("q", "another"), *ROWS[1:]] if change == "archive" else ROWS
    labels = dict(reversed(LABELS.items())) if change == "labels" else LABELS
    if change == "damage":
        [first] = (tmp_path / "kept").rglob("000001.parquet")
        first.write_bytes(first.read_bytes()[:100])
    usage = Usage()
    code = "y" if change == "code" else "x"
    classify(archive_of(rows), replace(classifier, labels=labels), out, tmp_path / "kept", code=code, usage=usage)
    assert usage.posts == (26 if change == "damage" else 30)
    assert read_parquet(out.posts)["id"].tolist() == [identifier for identifier, _ in rows]


@pytest.mark.usefixtures("here")
def test_bad_rows_are_listed_with_line_and_reason(archive_of, classifier, tmp_path):
    rows = [("a", "one"), ("b", " "), ("c", "three", "too many"), ("d", "four")]
    archive = archive_of(rows)
    with archive.part.path.open("ab") as stream:
        stream.write(b"e,\xff\nf,six\n")
    out = run(archive, classifier, tmp_path / "out")
    rejected = pd.read_csv(out.rejected)
    assert rejected[["line", "reason"]].to_numpy().tolist() == [
        [3, "empty text"],
        [4, "broken record"],
        [6, "broken encoding"],
    ]
    counts = read_json(out.counts)
    del counts["place"]
    assert counts == {
        "file": archive.part.path.name,
        "read": 6,
        "classified": 3,
        "left_out": 0,
        "rejected": 3,
    }
    assert read_parquet(out.posts)["id"].tolist() == ["a", "d", "f"]


@pytest.mark.usefixtures("here")
def test_progress_logs_speed_and_time_left(archive_of, classifier, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(classifying, "SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level("INFO"):
        run(archive_of(ROWS), classifier, tmp_path / "out")
    lines = [record.message for record in caplog.records if "rows/s" in record.message]
    assert len(lines) == 9
    assert re.fullmatch(r"4 rows, \d+ rows/s, \d+ posts scored/s, \d+ tokens/s, \d+ s left", lines[0])
    assert lines[7].endswith(" 0 s left")
    assert re.match(r"30 rows in \d+\.\d s: ", lines[8])


@pytest.mark.usefixtures("here")
def test_rows_in_other_languages_are_counted_and_left_out(archive_of, classifier, tmp_path):
    columns = ArchiveColumns(id="id", language="lang")
    settings = SETTINGS.model_copy(update={"columns": columns, "languages": ["hu", "id"]})
    rows = [("a", "one", "hu"), ("b", "two", "en"), ("c", "three", "in"), ("d", "four", "")]
    out = run(archive_of(rows, settings, header=("id", "text", "lang")), classifier, tmp_path / "out")
    assert read_parquet(out.posts)[["id", "language"]].to_numpy().tolist() == [["a", "hu"], ["c", "id"]]
    assert read_json(out.counts)["left_out"] == 2


@pytest.mark.usefixtures("here")
def test_each_language_uses_its_template_or_is_rejected(archive_of, classifier, tmp_path):
    prompt = Prompt(template={"en": "{text}\nLabel:", "es": "{text}\nEtiqueta:"}, language="native")
    settings = SETTINGS.model_copy(update={"columns": ArchiveColumns(id="id", language="lang")})
    rows = [("a", "one", "en"), ("b", "one", "es"), ("c", "one", "hu")]
    out = run(archive_of(rows, settings, header=("id", "text", "lang"), prompt=prompt), classifier, tmp_path / "out")
    table = read_parquet(out.posts)
    assert table["id"].tolist() == ["a", "b"]
    assert table["p_pro"].nunique() == 2
    assert pd.read_csv(out.rejected)["reason"].tolist() == ["unknown language"]


@pytest.mark.usefixtures("here")
def test_kept_columns_have_parquet_types_or_are_text(archive_of, classifier, tmp_path):
    archive = archive_of(ROWS)
    table = pa.table({"id": ["a"], "text": ["one"], "likes": pa.array([3], pa.int16()), "tags": [["x", "y"]]})
    pq.write_table(table, tmp_path / "posts.parquet")
    line = {"id": "a", "text": "one", "likes": 3, "tags": ["x", "y"]}
    (tmp_path / "posts.jsonl.gz").write_bytes(gzip.compress(json.dumps(line).encode()))
    settings = SETTINGS.model_copy(update={"keep": ["likes", "tags"]})
    for name, kept in {"posts.parquet": [3, ["x", "y"]], "posts.jsonl.gz": ["3", '["x", "y"]']}.items():
        own = replace(archive, part=Slice(tmp_path / name), settings=settings)
        [row] = pq.read_table(run(own, classifier, tmp_path / name.replace(".", "-")).posts).to_pylist()
        assert [row["likes"], row["tags"]] == kept


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_parts_of_a_file_give_the_same_rows(archive_of, classifier, tmp_path):
    archive = archive_of(ROWS)
    whole = read_parquet(run(archive, classifier, tmp_path / "whole").posts)
    parts = [
        read_parquet(
            run(replace(archive, part=Slice(archive.part.path, first, rows)), classifier, tmp_path / str(first)).posts
        )
        for first, rows in ((0, 12), (12, 12), (24, 6))
    ]
    assert [len(part) for part in parts] == [12, 12, 6]
    together = pd.concat(parts, ignore_index=True)
    assert together["id"].tolist() == whole["id"].tolist()
    np.testing.assert_allclose(together["p_pro"], whole["p_pro"], rtol=1e-5)


@pytest.mark.usefixtures("here")
def test_empty_file_gives_an_empty_table_with_all_columns(archive_of, classifier, tmp_path):
    out = run(archive_of([]), classifier, tmp_path / "out")
    assert pq.read_table(out.posts).column_names == ["id", "language", "predicted", "p_pro", "p_anti", "model"]
    assert read_json(out.counts)["read"] == 0


@pytest.mark.slow
@pytest.mark.grid
def test_missing_text_column_is_one_error_without_output(archive_of, classifier, tmp_path):
    settings = SETTINGS.model_copy(update={"columns": ArchiveColumns(text="txet", id="id")})
    with pytest.raises(UserError, match=r"no column 'txet' \(did you mean 'text'"):
        run(archive_of(ROWS, settings), classifier, tmp_path / "out")
    assert not (tmp_path / "out" / "posts.parquet").exists()


@pytest.mark.usefixtures("here")
def test_missing_column_to_keep_is_one_error_without_output(archive_of, classifier, tmp_path):
    with pytest.raises(UserError, match=r"no column 'date' \(classify\.keep\)"):
        run(archive_of(ROWS, SETTINGS.model_copy(update={"keep": ["date"]})), classifier, tmp_path / "out")
    assert not (tmp_path / "out" / "posts.parquet").exists()


@pytest.mark.usefixtures("here")
def test_jsonl_without_the_text_column_is_one_error(archive_of, classifier, tmp_path):
    archive = archive_of(ROWS)
    (tmp_path / "posts.jsonl").write_text('{"id": "a", "body": "one"}\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"no column 'text' \(classify\.columns\.text\)\. The columns: 'id', 'body'"):
        run(replace(archive, part=Slice(tmp_path / "posts.jsonl")), classifier, tmp_path / "out")


@pytest.mark.usefixtures("here")
def test_jsonl_lines_without_text_are_rejected_in_any_part(archive_of, classifier, tmp_path):
    archive = archive_of(ROWS)
    lines = [*[{"id": "a", "text": "one"}] * 4, *[{"id": "b", "deleted": True}] * 4, {"id": "c", "text": "two"}]
    (tmp_path / "posts.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    out = run(replace(archive, part=Slice(tmp_path / "posts.jsonl", first=4)), classifier, tmp_path / "out")
    assert (read_json(out.counts)["classified"], read_json(out.counts)["rejected"]) == (1, 4)


@pytest.mark.usefixtures("here")
def test_kept_parquet_columns_keep_full_precision(archive_of, classifier, tmp_path):
    kept = pa.table(
        {
            "at": pa.array([1_600_000_000_123_456_789], pa.timestamp("ns")),
            "for": pa.array([123_456_789], pa.duration("ns")),
            "large": pa.array([2**63 + 1], pa.uint64()),
            "map": pa.array([[("x", 1)]], pa.map_(pa.string(), pa.int64())),
        }
    )
    pq.write_table(kept.append_column("id", [["a"]]).append_column("text", [["one"]]), tmp_path / "posts.parquet")
    settings = SETTINGS.model_copy(update={"keep": kept.column_names})
    archive = replace(archive_of(ROWS), part=Slice(tmp_path / "posts.parquet"), settings=settings)
    assert pq.read_table(run(archive, classifier, tmp_path / "out").posts).select(kept.column_names).equals(kept)


@pytest.mark.usefixtures("here")
def test_kept_column_that_would_lose_precision_is_refused(archive_of, classifier, tmp_path):
    table = pa.table({"id": ["a"], "text": ["one"], "at": pa.array([1], pa.time64("ns"))})
    pq.write_table(table, tmp_path / "posts.parquet")
    settings = SETTINGS.model_copy(update={"keep": ["at"]})
    archive = replace(archive_of(ROWS), part=Slice(tmp_path / "posts.parquet"), settings=settings)
    with pytest.raises(UserError, match=r"column 'at' \(classify\.keep\) contains times of day in nanoseconds"):
        run(archive, classifier, tmp_path / "out")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"columns": ArchiveColumns(id="identifier")}, "identifier"),
        ({"columns": ArchiveColumns(language="language"), "languages": ["hu"]}, "language"),
        ({"keep": ["dat"]}, "dat"),
    ],
)
def test_jsonl_without_a_configured_column_is_an_error(archive_of, classifier, tmp_path, settings, name):
    archive = archive_of(ROWS, SETTINGS.model_copy(update=settings), "posts.jsonl")
    line = json.dumps({"id": "1", "text": "welcome", "lang": "hu", "date": "now"})
    archive.part.path.write_text(f"{line}\n" * 5, encoding="utf-8")
    with pytest.raises(UserError, match=f"no column '{name}'"):
        run(archive, classifier, tmp_path / "out")


@pytest.mark.usefixtures("here")
def test_kept_jsonl_column_may_be_missing_at_first(archive_of, classifier, tmp_path):
    archive = archive_of(ROWS, SETTINGS.model_copy(update={"keep": ["quoted"]}), "posts.jsonl")
    lines = [{"id": str(number), "text": "welcome"} for number in range(6)]
    archive.part.path.write_text("\n".join(map(json.dumps, [*lines, {**lines[0], "quoted": 7}])), encoding="utf-8")
    assert read_parquet(run(archive, classifier, tmp_path / "out").posts)["quoted"].tolist()[-1] == "7"


@pytest.mark.usefixtures("here")
def test_missing_header_is_an_error_that_shows_no_post(archive_of, classifier, tmp_path):
    with pytest.raises(UserError, match="none of its 2 columns") as error:
        run(archive_of(ROWS, header=("1", "a short post")), classifier, tmp_path / "out")
    assert "a short post" not in str(error.value)


@pytest.mark.usefixtures("here")
def test_language_codes_are_normalised_as_in_posts(archive_of, classifier, tmp_path):
    settings = SETTINGS.model_copy(
        update={"columns": ArchiveColumns(id="id", language="lang"), "languages": ["en", "id"]}
    )
    rows = [(str(number), "welcome", code) for number, code in enumerate(["EN", "eng", " en ", "in", "hu", "??"])]
    table = read_parquet(run(archive_of(rows, settings, header=("id", "text", "lang")), classifier, tmp_path).posts)
    assert table["language"].tolist() == ["en", "en", "en", "id"]


@pytest.mark.usefixtures("here")
def test_unread_rows_are_an_error(archive_of, classifier, tmp_path, monkeypatch):
    archive = archive_of(ROWS)
    counted = replace(archive, part=Slice(archive.part.path, 0, 31))
    with pytest.raises(UserError, match="31 in the file, 30 read"):
        run(counted, classifier, tmp_path / "out")


def test_long_posts_give_smaller_groups_with_the_same_rows(archive_of, monkeypatch):
    from babelgrid.classify import reader as reading

    whole = list(read_groups(archive_of(ROWS)))
    monkeypatch.setattr(reading, "CHARACTERS_OF_A_GROUP", 40)
    monkeypatch.setattr(reading, "CHARACTERS_OF_A_BATCH", 20)
    small = list(read_groups(archive_of(ROWS)))
    assert len(small) > len(whole)
    for groups in (whole, small):
        assert [row["id"] for group in groups for row in group.rows] == [key for key, _ in ROWS]
    prompts = [{key: prompt for group in groups for key, prompt in group.prompts.items()} for groups in (whole, small)]
    assert prompts[0] == prompts[1]


@pytest.mark.usefixtures("here")
def test_unusual_parquet_types_are_read(archive_of, classifier, tmp_path):
    from decimal import Decimal

    archive = archive_of(ROWS, SETTINGS.model_copy(update={"keep": ["tags"]}), "posts.parquet")
    bad = pa.array([[b"ok"], [b"\xff"], [b"fine"]], pa.list_(pa.binary())).cast(pa.list_(pa.binary()))
    tags = pa.ListArray.from_arrays(
        bad.offsets, pa.Array.from_buffers(pa.string(), len(bad.values), bad.values.buffers())
    )
    columns = {
        "id": pa.array([Decimal(1), Decimal(2), Decimal(3)], pa.decimal128(20, 0)),
        "text": pa.array([b"welcome", b"closed", b"welcome"], pa.binary()),
        "tags": tags,
    }
    pq.write_table(pa.table(columns), archive.part.path)
    out = run(archive, classifier, tmp_path / "out")
    assert read_parquet(out.posts)["id"].tolist() == ["1", "3"]
    assert pd.read_csv(out.rejected)["reason"].tolist() == ["broken encoding"]


@pytest.mark.usefixtures("here")
def test_empty_parquet_file_is_one_error(archive_of, classifier, tmp_path):
    archive = archive_of(ROWS, SETTINGS.model_copy(update={"keep": ["date"]}), "posts.parquet")
    archive.part.path.write_bytes(b"")
    with pytest.raises(UserError, match="cannot be read"):
        run(archive, classifier, tmp_path / "out")


def test_job_does_not_depend_on_other_input_files():
    one = Classify(input=["a.csv"], adapter="en", rows_per_job=5)
    two = Classify(input=["a.csv", "b.csv"], adapter="en/seed0")
    assert one.of_one_job() == two.of_one_job()
    assert one.of_one_job() != Classify(input=["a.csv"], adapter="en", keep=["date"]).of_one_job()


@pytest.mark.slow
def test_job_depends_on_adapter_config(posts, random_base, tmp_path):
    adapter = train(posts, random_base(), tmp_path / "adapter")
    classifier = Classifier(random_base(), BASE, adapter, LABELS, Predict(), "x")
    assert adapter / "adapter_config.json" in classifier.files


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [0, 4, 12, 20, 32, 48])
@pytest.mark.usefixtures("here")
def test_full_disk_at_any_point_is_one_error(archive_of, classifier, tmp_path, mounted, capfd, kilobytes):
    archive, small = archive_of(ROWS), mounted("size=256k")
    (small / "filler").write_bytes(bytes(shutil.disk_usage(small).free - 1024 * kilobytes))
    with pytest.raises(SystemExit), job(tmp_path / "logs/classify.log"):
        run(archive, classifier, small)
    assert "No space left on device" in (words := capfd.readouterr().err)
    assert "free some space, and run again" in words
    assert "Traceback" not in (tmp_path / "logs/classify.log").read_text(encoding="utf-8")
    assert not list(small.glob("*.parquet"))
    assert not list(small.rglob(".*"))
    (small / "filler").unlink()
    out = run(archive, classifier, small)
    assert out.posts.read_bytes() == run(archive, classifier, tmp_path / "whole").posts.read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_ctrl_c_keeps_complete_groups_without_traceback(archive_of, classifier, tmp_path, monkeypatch, capfd):
    archive, table = archive_of(ROWS), classifying._table

    def interrupted(group, *rest):
        if group.rows[0]["id"] == "p8":
            os.kill(os.getpid(), signal.SIGINT)
        return table(group, *rest)

    log = tmp_path / "logs/classify.log"
    with monkeypatch.context() as patch:
        patch.setattr(classifying, "_table", interrupted)
        with pytest.raises(SystemExit) as end, job(log):
            run(archive, classifier, tmp_path)
    assert end.value.code == 1
    assert "stopped by SIGINT. Finished work is kept: run again to continue" in capfd.readouterr().err
    assert "Traceback" not in log.read_text(encoding="utf-8")
    [groups] = (tmp_path / "kept").iterdir()
    assert sorted(path.name for path in groups.iterdir()) == ["000000.parquet", "000001.parquet", "seen.sqlite"]
    out = run(archive, classifier, tmp_path)
    assert out.posts.read_bytes() == run(archive, classifier, tmp_path / "whole").posts.read_bytes()


@pytest.mark.usefixtures("here")
def test_damaged_score_cache_is_named(archive_of, classifier, tmp_path, monkeypatch):
    archive, add = archive_of(ROWS), SeenPosts.add

    def damaged(self, scores, group):
        if group == 2:
            self._path.write_bytes(b"no database " * 4096)
        add(self, scores, group)

    monkeypatch.setattr(SeenPosts, "add", damaged)
    with pytest.raises(UserError, match=r"seen\.sqlite: .*Delete the folder .* and run again"):
        run(archive, classifier, tmp_path)
