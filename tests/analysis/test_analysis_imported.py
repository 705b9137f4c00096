"""Imported predictions have the same file format as the grid's own predictions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from babelgrid.analysis.scores.imported import import_predictions
from babelgrid.analysis.scores.parts import POOLED, score_parts
from babelgrid.analysis.scores.views import confusion_of, read_answers
from babelgrid.analysis.tables import read_table
from babelgrid.config.load import load_experiment, read_experiment
from babelgrid.errors import UserError
from babelgrid.grid import build_grid, imported_mixtures

PUBLISHED = Path(__file__).parents[2] / "config" / "published.yaml"
STANCE = {"pro": ["pro"], "anti": ["anti"]}
ROWS = """id,language,mixture,gold,predicted,part
1,en,en,PRO,pro,test
2,en,en,anti,unrelated,test
3,in,en,unrelated,unrelated,extra
4,en,en,pro,pro,train
1,en,multi,pro,,test
2,en,multi,anti,anti,test
3,in,multi,unrelated,anti,extra
"""


def _experiment(path, **changes):
    """Return an experiment that reads its predictions from a file."""
    settings = {
        "files": [str(path)],
        "columns": {"part": "part"},
        "parts": ["test", "extra"],
        "mixtures": {"multi": "all"},
        **changes,
    }
    return load_experiment(
        {
            "experiment": "elsewhere",
            "seeds": [0],
            "languages": {"train": ["en", "es"], "test": ["en", "id"], "aliases": {"in": "id"}},
            "labels": {name: {"answer": name} for name in ("pro", "anti", "unrelated")},
            "predictions": {"import": settings},
        }
    )


def _run(experiment, folder):
    """Run the same call as the rule; return cell -> path."""
    grid = build_grid(experiment)
    outputs = {cell: folder / "{}-{}-{}.parquet".format(*cell) for cell in grid.cells}
    import_predictions(
        experiment.predictions.imported,
        labels=experiment.labels,
        aliases=experiment.languages.aliases,
        mixtures={name: mixture.name for name, mixture in imported_mixtures(experiment).items()},
        seed=experiment.seeds[0],
        outputs=outputs,
    )
    return outputs


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path / "source.csv"


def test_imported_cell_has_grid_format(source, tmp_path):
    outputs = _run(_experiment(source), tmp_path)
    assert list(outputs) == [("en", 0, "en"), ("en", 0, "id"), ("all", 0, "en"), ("all", 0, "id")]
    table = pd.read_parquet(outputs["en", 0, "en"])
    assert table.columns.tolist() == ["id", "gold", "predicted", "part", "logp_pro", "logp_anti", "logp_unrelated"]
    assert table[["id", "gold", "predicted"]].to_numpy().tolist() == [
        ["en-1", "pro", "pro"],
        ["en-2", "anti", "unrelated"],
    ]
    assert table["logp_pro"].tolist() == [0, -np.inf]
    assert pd.read_parquet(outputs["all", 0, "id"])["id"].tolist() == ["id-3"]


def test_answer_outside_view_has_no_class(source, tmp_path):
    outputs = _run(_experiment(source), tmp_path)
    assert confusion_of(read_answers(outputs["en", 0, "en"]), STANCE).tolist() == [[1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(("on_failure", "posts"), [("wrong", 2), ("leave_out", 1)])
def test_failure_is_wrong_or_left_out(source, tmp_path, on_failure, posts):
    outputs = _run(_experiment(source, on_failure=on_failure), tmp_path)
    answers = read_answers(outputs["all", 0, "en"])
    assert len(answers.ids) == posts
    confusion = confusion_of(answers, STANCE)
    assert confusion[:, 2].sum() == posts - 1
    assert confusion.diagonal().sum() == 1


def test_probabilities_are_kept_as_logarithms(source, tmp_path):
    table = pd.read_csv(source).assign(p_pro=0.25, p_anti=0.75, p_other=0.0)
    table.to_parquet(tmp_path / "source.parquet")
    names = {"pro": "p_pro", "anti": "p_anti", "unrelated": "p_other"}
    outputs = _run(_experiment(tmp_path / "source.parquet", probabilities=names, failures=["", "nan"]), tmp_path)
    first = pd.read_parquet(outputs["en", 0, "en"]).loc[0]
    assert np.exp(first[["logp_pro", "logp_anti", "logp_unrelated"]].astype(float)).tolist() == [0.25, 0.75, 0]


def test_seeds_are_kept_separate(source, tmp_path):
    table = pd.read_csv(source, dtype=str, keep_default_na=False)
    both = pd.concat([table.assign(run=0), table.assign(run=1, predicted="anti")])
    both.to_csv(tmp_path / "seeds.csv", index=False)
    experiment = _experiment(tmp_path / "seeds.csv", columns={"part": "part", "seed": "run"})
    outputs = _run(experiment.model_copy(update={"seeds": [0, 1]}), tmp_path)
    assert pd.read_parquet(outputs["en", 1, "en"])["predicted"].tolist() == ["anti", "anti"]
    with pytest.raises(UserError, match="contain the seed 1, which is not in the grid"):
        _run(experiment, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("2,en,en,anti", "2,en,en,ante", r"unknown gold label 'ante' \(did you mean 'anti'"),
        ("anti,unrelated", "anti,error", "unknown predicted label 'error'.*predictions.import.failures"),
        ("3,in,en", "3,sv,en", "contain the language sv.*languages.test"),
        ("2,en,en,", "1,en,en,", "1 posts appear twice.*'en-1' of 'en'"),
        ("predicted,part", "prediction,part", r"no column 'predicted' \(did you mean 'prediction'"),
    ],
)
def test_values_missing_in_config_raise(source, tmp_path, old, new, words):
    source.write_text(ROWS.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=words):
        _run(_experiment(source), tmp_path)


def test_unknown_mixture_name_points_to_config_key(source):
    with pytest.raises(UserError, match=r"unknown mixture 'multi'.*predictions\.import\.mixtures"):
        build_grid(_experiment(source, mixtures={}))


def test_short_row_and_broken_parquet_are_named(tmp_path):
    short, broken = tmp_path / "short.csv", tmp_path / "broken.parquet"
    short.write_text(ROWS + "5,en\n", encoding="utf-8")
    broken.write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"short.csv, line 9: broken record, it has 2 fields and the header has 6"):
        build_grid(_experiment(short))
    with pytest.raises(UserError, match=r"broken.parquet: cannot be read"):
        build_grid(_experiment(broken))


def test_parquet_and_csv_give_same_mixtures(source, tmp_path):
    pd.read_csv(source, dtype=str).to_parquet(tmp_path / "source.parquet")
    from_csv, from_parquet = (build_grid(_experiment(tmp_path / f"source.{kind}")) for kind in ("csv", "parquet"))
    assert from_parquet.mixtures == from_csv.mixtures


def test_mixture_names_with_any_separator_are_read(source):
    names = {"en": "en", "en-es": "en+es", "es_en": "es+en", "none": "none", "all-es": "all-es", "en+es@5": "en+es@5"}
    header, first = ROWS.splitlines()[:2]
    lines = [header, *(first.replace("en,en", f"en,{name}") for name in names)]
    source.write_text("\n".join(lines), encoding="utf-8")
    assert list(build_grid(_experiment(source)).mixtures) == list(names.values())


def test_published_metrics_are_reproduced(shared_file, tmp_path):
    """The rows that differ from the study's own counts are those listed in docs/published.md."""
    experiment = read_experiment(PUBLISHED)
    source = shared_file("data/immigration13/published_predictions.csv")
    block = experiment.predictions.model_dump(by_alias=True)
    block["import"]["files"] = [str(source)]
    experiment = load_experiment({**experiment.model_dump(), "predictions": block})
    score_parts(_run(experiment, tmp_path), {"label": experiment.effective_views["label"]}, tmp_path / "parts.csv")
    ours = read_table(tmp_path / "parts.csv").set_index(["mixture", "test_language", "part"])
    otherwise = set()
    published = pd.read_csv(shared_file("data/immigration13/published_metrics.csv"))
    for row in published.itertuples():
        language = row.dataset.removesuffix("-extra").replace("in", "id").replace("multi", POOLED)
        part = "test_extra" if row.dataset.endswith("-extra") else "test"
        found = ours.loc[(row.mixture.replace("multi", "all"), language, part)]
        assert found["n"] == row.n
        if not np.allclose(
            found[["accuracy", "weighted_f1"]].tolist(), [row.accuracy, row.weighted_f1], atol=1e-6, rtol=0
        ):
            otherwise.add((row.mixture, row.dataset))
    assert otherwise == {
        ("en", "it-extra"),
        ("en", "tr-extra"),
        ("multi", "tr-extra"),
        ("en", "multi"),
        ("multi", "multi"),
    }


def test_parts_are_scored_per_language_and_pooled(source, tmp_path):
    outputs = _run(_experiment(source), tmp_path)
    view = {label: [label] for label in ("pro", "anti", "unrelated")}
    score_parts(outputs, {"label": view}, tmp_path / "parts.csv")
    parts = read_table(tmp_path / "parts.csv").set_index(["mixture", "test_language", "part"])
    assert parts.loc[("en", "en", "test"), ["n", "accuracy"]].tolist() == [2, 0.5]
    assert parts.loc[("en", POOLED, "extra"), ["n", "accuracy"]].tolist() == [1, 1]


def test_two_mixtures_mapped_to_one_name_raise(source):
    with pytest.raises(UserError, match="the mixtures 'en' and 'multi' in the files would both be 'en' here"):
        build_grid(_experiment(source, mixtures={"multi": "en"}))
