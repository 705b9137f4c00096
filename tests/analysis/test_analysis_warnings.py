import pandas as pd

from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer.warnings import list_warnings
from babelgrid.runtime.files import write_csv

SOUND = {
    "posts": [("1", "one", "train"), ("2", "two", "test")],
    "scores": [("topic", "en", "hu", 2, True), ("topic", "none", "hu", 1, True)],
    "bias": [("topic", "en", "hu", "yes", 100, 0.5, 0.5), ("topic", "en", "hu", "no", 100, 0.5, 0.5)],
    # A merged row has the posts of both its parents, which no budget can change.
    "untuned": [-9.0, -1.0, -2.0],
    "exposure": [("en", "en", 100.0), ("es", "es", 100.0), ("none", "en", 0.0), ("en~es", "en", 200.0)],
}


def _warn(tmp_path, **changed):
    given = {**SOUND, **changed}
    pd.DataFrame(given["posts"], columns=["id", "text", "split"]).to_parquet(tmp_path / "hu.parquet")
    columns = {
        "scores": ["view", "mixture", "test_language", "seeds", "ranked"],
        "bias": ["view", "mixture", "test_language", "class", "n", "gold_share", "predicted_share"],
        "exposure": ["mixture", "language", "finetune_posts"],
    }
    logp = given["untuned"]
    pd.DataFrame({"id": range(len(logp)), "logp_yes": logp, "logp_no": -11.0}).to_parquet(tmp_path / "untuned.parquet")
    for name, own in columns.items():
        write_csv(tmp_path / f"{name}.csv", pd.DataFrame(given[name], columns=own))
    list_warnings(
        posts={"hu": tmp_path / "hu.parquet"},
        scores_path=tmp_path / "scores.csv",
        label_bias_path=tmp_path / "bias.csv",
        exposure_path=tmp_path / "exposure.csv",
        untuned={"hu": tmp_path / "untuned.parquet"},
        out=tmp_path / "warnings.csv",
    )
    return read_table(tmp_path / "warnings.csv")


def test_sound_experiment_has_no_warnings(tmp_path):
    assert _warn(tmp_path).empty


def test_leak_is_counted_without_quoting_text(tmp_path):
    [row] = _warn(tmp_path, posts=[("1", "A secret", "train"), ("2", "a  SECRET", "test")]).to_dict("records")
    assert (row["kind"], row["where"], row["count"]) == ("leak", "hu", 1)
    assert "secret" not in row["warning"].lower()


def test_dominant_class_in_gold_or_answers_is_degenerate(tmp_path):
    gold = [("topic", "en", "ko", "no", 70, 0.93, 0.9), ("topic", "es", "ko", "no", 70, 0.93, 0.5)]
    assert _warn(tmp_path, bias=gold)["where"].tolist() == ["topic: ko"]
    assert _warn(tmp_path, bias=[("topic", "en", "hu", "no", 70, 0.5, 0.9)])["where"].tolist() == ["topic: en"]


def test_mixtures_of_different_sizes_are_confounded(tmp_path):
    [row] = _warn(tmp_path, exposure=[("en", "en", 1125.0), ("es", "es", 750.0)]).to_dict("records")
    assert row["kind"] == "confounded"
    assert "750 (es) to 1125 (en)" in row["warning"]


def test_one_seed_and_small_cells_are_named(tmp_path):
    scores = [("topic", "en", "hu", 1, False), ("topic", "none", "hu", 1, False)]
    assert _warn(tmp_path, scores=scores)[["kind", "where"]].to_numpy().tolist() == [
        ["one_seed", "en"],
        ["small", "topic: hu"],
    ]


def test_improbable_answers_of_the_untuned_base_are_named(tmp_path):
    [row] = _warn(tmp_path, untuned=[-9.0, -1.0, -9.5]).to_dict("records")
    assert (row["kind"], row["where"], row["count"]) == ("improbable", "none: hu", 1)
    assert "-9.0 nats" in row["warning"]
