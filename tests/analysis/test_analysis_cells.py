import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from babelgrid.analysis.scores.baselines import fit_baselines, fit_majority
from babelgrid.analysis.scores.cells import score_cells
from babelgrid.analysis.scores.matrix import average_over_seeds, build_transfer_matrix
from babelgrid.analysis.tables import read_table
from babelgrid.config.analysis import Score
from babelgrid.errors import UserError

LABELS = ["pro", "anti", "unrelated"]
VIEWS = {
    "topic": {"related": ["pro", "anti"], "unrelated": ["unrelated"]},
    "stance": {"pro": ["pro"], "anti": ["anti"]},
}


def _posts(language, labels):
    ids = [f"{language}-{number}" for number in range(len(labels))]
    return pd.DataFrame({"id": ids, "text": [f"{label} text" for label in labels], "label": labels})


@pytest.fixture
def grid(tmp_path):
    """Write two mixtures, two seeds and two test languages; all Hungarian posts are unrelated."""
    generator = np.random.default_rng(0)
    test = {"en": _posts("en", LABELS * 10), "hu": _posts("hu", ["unrelated"] * 12)}
    predictions, baselines = {}, {}
    for mixture, seed in [("none", 0), ("en", 0), ("en", 1)]:
        for language, posts in test.items():
            logp = np.log(generator.dirichlet(np.ones(3), len(posts)))
            table = pd.DataFrame({"id": posts["id"], "gold": posts["label"], "predicted": "pro"})
            table[[f"logp_{label}" for label in LABELS]] = logp
            predictions[mixture, seed, language] = tmp_path / f"{mixture}-{seed}-{language}.parquet"
            table.to_parquet(predictions[mixture, seed, language])
        fit = fit_majority if mixture == "none" else fit_baselines
        baselines[mixture, seed] = tmp_path / f"baselines-{mixture}-{seed}.parquet"
        fit(test["en"], test, LABELS).to_parquet(baselines[mixture, seed])
    return predictions, baselines


def _score(grid, folder, **changes):
    settings = {"views": VIEWS, "score": Score(bootstrap=100), "seed": 1}
    paths = {"cells_path": folder / "cells.csv", "classes_path": folder / "classes.csv"}
    score_cells(*grid, **{**settings, **paths, **changes})
    return read_table(folder / "cells.csv"), read_table(folder / "classes.csv")


def test_each_cell_has_one_row_per_view(grid, tmp_path):
    cells, classes = _score(grid, tmp_path)
    assert len(cells) == 6 * 2
    assert len(classes) == 6 * (2 + 2)
    assert cells.columns[:6].tolist() == ["mixture", "seed", "test_language", "split", "view", "n"]
    assert {"macro_f1", "macro_f1_low", "macro_f1_high", "majority_macro_f1", "ngram_mcc"} <= set(cells.columns)


def test_cell_score_matches_scikit_learn(grid, tmp_path):
    cells, _ = _score(grid, tmp_path)
    table = pd.read_parquet(grid[0]["en", 1, "en"])
    probability = np.exp(table[[f"logp_{label}" for label in LABELS]].to_numpy())
    predicted = np.where(probability[:, :2].sum(axis=1) >= probability[:, 2], "related", "unrelated")
    gold = table["gold"].where(table["gold"] == "unrelated", "related")
    row = cells.query("mixture == 'en' and seed == 1 and test_language == 'en' and view == 'topic'").iloc[0]
    assert row["macro_f1"] == pytest.approx(f1_score(gold, predicted, average="macro"), abs=1e-6)
    assert row["n"] == 30
    assert row["macro_f1_low"] <= row["macro_f1"] <= row["macro_f1_high"]


def test_cell_without_posts_in_view_is_empty(grid, tmp_path):
    cells, classes = _score(grid, tmp_path)
    empty = cells.query("test_language == 'hu' and view == 'stance'")
    assert (empty["n"] == 0).all()
    assert empty.drop(columns=["mixture", "seed", "test_language", "split", "view", "n"]).isna().all(axis=None)
    assert (classes.query("test_language == 'hu' and view == 'stance'")["support"] == 0).all()


def test_untuned_base_has_only_majority_baseline(grid, tmp_path):
    cells, _ = _score(grid, tmp_path)
    untuned = cells.query("mixture == 'none' and view == 'topic'")
    assert untuned["majority_accuracy"].notna().all()
    assert untuned["ngram_accuracy"].isna().all()
    assert cells.query("mixture == 'en' and view == 'topic'")["ngram_accuracy"].notna().all()


def test_interval_depends_only_on_its_cell(grid, tmp_path):
    everything, _ = _score(grid, tmp_path)
    predictions, baselines = grid
    alone = {("en", 1, "en"): predictions["en", 1, "en"]}
    one, _ = _score((alone, baselines), tmp_path)
    same = everything.query("mixture == 'en' and seed == 1 and test_language == 'en'").reset_index(drop=True)
    pd.testing.assert_frame_equal(one, same, check_dtype=False)


def test_same_predictions_give_same_bytes(grid, tmp_path):
    _score(grid, tmp_path)
    first = (tmp_path / "cells.csv").read_bytes()
    _score(grid, tmp_path)
    assert (tmp_path / "cells.csv").read_bytes() == first


def test_baselines_of_different_posts_raise(grid, tmp_path):
    _, baselines = grid
    other = fit_majority(_posts("en", LABELS), {"en": _posts("en", LABELS)}, LABELS)
    other.to_parquet(baselines["en", 0])
    with pytest.raises(UserError, match=r"baselines-en-0.*contains other en posts"):
        _score(grid, tmp_path)
    assert not (tmp_path / "cells.csv").exists()


def test_row_without_baselines_raises(grid, tmp_path):
    predictions, baselines = grid
    with pytest.raises(UserError, match="no file for mixture 'en' and seed 1"):
        _score((predictions, {key: path for key, path in baselines.items() if key != ("en", 1)}), tmp_path)


def test_transfer_matrix_has_seed_means_in_language_order(grid, tmp_path):
    cells, _ = _score(grid, tmp_path)
    build_transfer_matrix(tmp_path / "cells.csv", "accuracy", ["hu", "en"], tmp_path / "matrix.csv")
    matrix = read_table(tmp_path / "matrix.csv")
    assert matrix.columns.tolist() == ["view", "mixture", "hu", "en"]
    assert matrix[["view", "mixture"]].to_numpy().tolist() == [
        ["topic", "none"],
        ["topic", "en"],
        ["stance", "none"],
        ["stance", "en"],
    ]
    expected = cells.query("mixture == 'en' and test_language == 'en' and view == 'topic'")["accuracy"].mean()
    assert matrix.loc[1, "en"] == pytest.approx(expected, abs=1e-6)
    assert matrix.query("view == 'stance'")["hu"].isna().all()


def test_better_baseline_is_kept(grid, tmp_path):
    cells, _ = _score(grid, tmp_path)
    means = average_over_seeds(cells, "accuracy").query("mixture == 'en' and test_language == 'en' and view == 'topic'")
    own = cells.query("mixture == 'en' and test_language == 'en' and view == 'topic'")
    assert means["baseline"].item() == pytest.approx(own[["majority_accuracy", "ngram_accuracy"]].max(axis=1).mean())
    assert means["seeds"].item() == 2


def test_unknown_metric_suggests_nearest_name(grid, tmp_path):
    cells, _ = _score(grid, tmp_path)
    with pytest.raises(UserError, match="did you mean 'macro_f1'"):
        average_over_seeds(cells, "macro-f1")
