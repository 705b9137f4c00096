"""Test that a dataset gives the same posts as its files, without guessing types, and that failures are user errors."""

import json

import pytest

from babelgrid.config.prompt import Label
from babelgrid.errors import UserError

datasets = pytest.importorskip("datasets")

LABELS = {"None": Label(answer=" none"), "pro": Label(answer=" pro")}
COLUMNS = {"id": "id", "source_id": "source"}
ROWS = [
    {"language": "nan", "text": "null", "label": "None", "id": "007", "source": "NA"},
    {"language": "nan", "text": "another one", "label": "pro", "id": "7", "source": "2020-01-01"},
    {"language": "nan", "text": "2020-01-01", "label": "pro", "id": "1e5", "source": ""},
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def write_rows(path, rows=ROWS):
    path.parent.mkdir(exist_ok=True)
    mark = "\t" if path.suffix == ".tsv" else ","
    lines = [mark.join(rows[0]), *(mark.join(row.values()) for row in rows)]
    if path.suffix not in (".csv", ".tsv"):
        lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train.csv", "train.tsv", "train.jsonl", "train.json"])
def test_dataset_gives_same_posts_as_its_files(prepare, tmp_path, name):
    write_rows(tmp_path / "folder" / name)
    posts, dropped = prepare(None, dataset={"name": str(tmp_path / "folder")}, labels=LABELS, columns=COLUMNS)
    assert dropped.empty
    assert list(posts["id"]) == ["nan-007", "nan-7", "nan-1e5"]
    assert list(posts["text"]) == ["null", "another one", "2020-01-01"]
    assert list(posts["label"]) == ["None", "pro", "pro"]
    assert list(posts["source_id"])[:2] == ["NA", "2020-01-01"]
    if name != "train.json":
        write_rows(tmp_path / name)
        assert prepare(name, labels=LABELS, columns=COLUMNS)[0].equals(posts)


def test_class_names_in_card_apply_to_csv(prepare, tmp_path):
    write_rows(tmp_path / "folder" / "train.csv", [{**row, "label": str(i % 2)} for i, row in enumerate(ROWS)])
    (tmp_path / "folder" / "README.md").write_text(
        "---\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n"
        "          '0': None\n          '1': pro\n---\n",
        encoding="utf-8",
    )
    posts, _ = prepare(None, dataset={"name": str(tmp_path / "folder")}, labels=LABELS, columns=COLUMNS)
    assert list(posts["label"]) == ["None", "pro", "None"]


def test_card_option_that_changes_reading_is_refused(prepare, tmp_path):
    write_rows(tmp_path / "folder" / "train.csv")
    card = "---\nconfigs:\n- config_name: default\n  data_files: train.csv\n  skiprows: 1\n---\n"
    (tmp_path / "folder" / "README.md").write_text(card, encoding="utf-8")
    with pytest.raises(UserError, match=r"sets skiprows to 1, which is not supported.*posts\.files"):
        prepare(None, dataset={"name": str(tmp_path / "folder")}, labels=LABELS)


def test_loading_script_error_gives_alternatives(prepare, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "old.py").write_text("raise SystemExit('never run')", encoding="utf-8")
    with pytest.raises(UserError, match=r"posts\.dataset: .*loading script.*refs/convert/parquet.*posts\.files"):
        prepare(None, dataset={"name": str(tmp_path / "old")})


@pytest.mark.parametrize("error", [RuntimeError("template"), KeyError("x"), RecursionError("deep"), TypeError("y")])
def test_any_library_error_becomes_user_error(prepare, tmp_path, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(datasets, "load_dataset_builder", fail)
    with pytest.raises(UserError, match=rf"posts\.dataset: './x' cannot be loaded \({type(error).__name__}"):
        prepare(None, dataset={"name": "./x"})


def test_dataset_error_does_not_show_values(prepare, tmp_path):
    content = "[" + json.dumps({**ROWS[0], "n": 1}) + "," + json.dumps({**ROWS[0], "n": "a private post"}) + "]"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "train.json").write_text(content[:-4], encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot be loaded") as error:
        prepare(None, dataset={"name": str(tmp_path / "folder")}, labels=LABELS)
    assert "private" not in str(error.value)


def saved(folder, **splits):
    features = datasets.Features(
        language=datasets.Value("string"),
        text=datasets.Value("string"),
        label=datasets.ClassLabel(names=["pro", "anti"]),
        source=datasets.Value("float32"),
    )
    parts = {
        name: datasets.Dataset.from_dict(
            {
                "language": ["en"] * len(labels),
                "text": [f"a text for {name} with number {number}" for number in range(len(labels))],
                "label": labels,
                "source": [float(number) for number in range(len(labels))],
            },
            features=features,
        )
        for name, labels in splits.items()
    }
    datasets.DatasetDict(parts).save_to_disk(folder)


def test_split_without_labels_is_left_out_or_dropped(prepare, tmp_path):
    saved(tmp_path / "saved", train=[0, 1], test=[1, 0], unsupervised=[-1, -1, -1])
    dataset = {"name": str(tmp_path / "saved")}
    columns = {"source_id": "source"}
    posts, dropped = prepare(
        None, dataset=dataset, columns=columns, leave_out=["unsupervised"], duplicates={"near": None}
    )
    assert dict(posts["split"].value_counts()) == {"test": 2}
    assert set(dropped["reason"]) == {"leak: same source as a test post"}
    assert set(posts["source_id"]) == {"0", "1"}
    _, dropped = prepare(None, dataset=dataset, on_error="drop", duplicates={"near": None})
    assert list(dropped["reason"]) == ["unknown part"] * 3
    with pytest.raises(UserError, match=r"saved:unsupervised, row 1: unknown part 'unsupervised'.*posts\.leave_out"):
        prepare(None, dataset=dataset)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_left_out_split_is_not_read(prepare, tmp_path, kind):
    import pandas as pd

    (tmp_path / "folder").mkdir()
    for part in ("train", "test"):
        frame = pd.DataFrame({"language": ["en"], "text": [f"one for {part}"], "label": ["pro"]})
        frame.to_csv(tmp_path / "folder" / f"{part}.csv", index=False) if kind == "csv" else frame.to_parquet(
            tmp_path / "folder" / f"{part}.parquet"
        )
    frame = pd.DataFrame({"other": [1]})
    path = tmp_path / "folder" / f"validation.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    posts, _ = prepare(None, dataset={"name": str(tmp_path / "folder")}, leave_out=["validation"])
    assert list(posts["split"]) == ["train", "test"]
    with pytest.raises(UserError, match=r"leaves out all splits"):
        prepare(None, dataset={"name": str(tmp_path / "folder")}, leave_out=["train", "test", "validation"])
