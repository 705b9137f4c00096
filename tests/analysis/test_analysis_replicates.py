import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from babelgrid.analysis.bootstrap.replicates import (
    draw_posts,
    draw_seeds,
    families,
    read_replicates,
    replicates_of,
    resample_cells,
)
from babelgrid.config.analysis import Score
from babelgrid.errors import UserError

LABELS = ["pro", "anti", "unrelated"]
VIEWS = {
    "topic": {"related": ["pro", "anti"], "unrelated": ["unrelated"]},
    "stance": {"pro": ["pro"], "anti": ["anti"]},
}
LANGUAGES = {"en": LABELS * 10, "hu": ["unrelated"] * 12}
ROWS = [("none", 0), ("en", 0), ("en", 1), ("en", 2), ("es", 0)]


def _predictions(language, generator):
    gold = LANGUAGES[language]
    logp = np.log(generator.dirichlet(np.ones(3), len(gold)))
    table = pd.DataFrame({"id": [f"{language}-{number}" for number in range(len(gold))], "gold": gold})
    return table.assign(**{f"logp_{label}": logp[:, number] for number, label in enumerate(LABELS)})


@pytest.fixture
def predictions(tmp_path):
    """Write three mixtures, one of them with three seeds; `es` has the same answers as seed 1 of `en`."""
    generator = np.random.default_rng(0)
    paths = {}
    for mixture, seed in ROWS:
        for language in LANGUAGES:
            paths[mixture, seed, language] = tmp_path / f"{mixture}-{seed}-{language}.parquet"
            _predictions(language, generator).to_parquet(paths[mixture, seed, language])
    for language in LANGUAGES:
        paths["es", 0, language] = paths["en", 1, language]
    return paths


def _resample(predictions, tmp_path, posts=None, **changes):
    settings = {"views": VIEWS, "score": Score(bootstrap=100), "seed": 1, "out": tmp_path / "replicates.parquet"}
    resample_cells(predictions, posts or {}, **{**settings, **changes})
    return read_replicates(tmp_path / "replicates.parquet")


def test_each_cell_has_replicates_under_each_view(predictions, tmp_path):
    frame = _resample(predictions, tmp_path)
    expected = [(view, mixture, lang) for view in VIEWS for mixture in ["none", "en", "es"] for lang in LANGUAGES]
    assert frame.index.tolist() == expected
    assert frame.columns.tolist() == ["seeds", "n", "score", *(f"r{number}" for number in range(100))]
    assert set(replicates_of(frame).dtypes) == {np.dtype("float32")}
    assert frame.loc[("topic", "en", "en"), ["seeds", "n"]].tolist() == [3, 30]


def test_score_is_seed_mean_of_scikit_learn_scores(predictions, tmp_path):
    scores = []
    for seed in range(3):
        table = pd.read_parquet(predictions["en", seed, "en"])
        probability = np.exp(table[[f"logp_{label}" for label in LABELS]].to_numpy())
        predicted = np.where(probability[:, :2].sum(axis=1) >= probability[:, 2], "related", "unrelated")
        gold = table["gold"].where(table["gold"] == "unrelated", "related")
        scores.append(f1_score(gold, predicted, average="macro"))
    frame = _resample(predictions, tmp_path)
    assert frame.loc[("topic", "en", "en"), "score"] == pytest.approx(np.mean(scores), abs=1e-12)


def test_mixtures_share_post_draws(predictions, tmp_path):
    only = {cell: path for cell, path in predictions.items() if cell[0] == "es" or cell[:2] == ("en", 1)}
    replicates = replicates_of(_resample(only, tmp_path))
    pd.testing.assert_frame_equal(replicates.xs("en", level="mixture"), replicates.xs("es", level="mixture"))
    assert replicates.loc[("topic", "en", "en")].nunique() > 5


def test_mixtures_share_seed_draws(predictions, tmp_path):
    """Seed k fixes posts, weights and batches of every mixture, so a mean over mixtures does not have more seeds."""
    copies = {("hu", seed, language): predictions["en", seed, language] for seed in range(3) for language in LANGUAGES}
    replicates = replicates_of(_resample({**predictions, **copies}, tmp_path))
    pd.testing.assert_frame_equal(replicates.xs("en", level="mixture"), replicates.xs("hu", level="mixture"))


@pytest.mark.slow
def test_seed_without_posts_is_not_counted(predictions, tmp_path):
    pd.read_parquet(predictions["en", 2, "hu"]).head(0).to_parquet(tmp_path / "none.parquet")
    gap = _resample({**predictions, ("en", 2, "hu"): tmp_path / "none.parquet"}, tmp_path).loc[("topic", "en", "hu")]
    two = {cell: path for cell, path in predictions.items() if cell[:2] != ("en", 2)}
    pd.testing.assert_series_equal(gap, _resample(two, tmp_path).loc[("topic", "en", "hu")])


@pytest.mark.slow
def test_replicates_do_not_depend_on_other_mixtures(predictions, tmp_path):
    everything = _resample(predictions, tmp_path)
    alone = _resample({cell: path for cell, path in predictions.items() if cell[0] == "en"}, tmp_path)
    pd.testing.assert_frame_equal(alone, everything.loc[(slice(None), "en"), :])


def test_cell_without_posts_in_view_is_empty(predictions, tmp_path):
    empty = _resample(predictions, tmp_path).loc[("stance", slice(None), "hu"), :]
    assert (empty["n"] == 0).all()
    assert empty.drop(columns=["seeds", "n"]).isna().all(axis=None)


def test_same_predictions_give_same_bytes(predictions, tmp_path):
    contents = []
    for _ in range(2):
        _resample(predictions, tmp_path)
        contents.append((tmp_path / "replicates.parquet").read_bytes())
    assert contents[0] == contents[1]


def test_posts_of_group_are_drawn_together(predictions, tmp_path):
    """If one group has all correct answers and another all wrong ones, each replicate is a draw of two groups."""
    table = pd.read_parquet(predictions["none", 0, "en"])
    right = table["gold"] == "pro"
    table = table.assign(logp_pro=np.where(right, 0.0, -np.inf), logp_anti=-np.inf)
    table = table.assign(logp_unrelated=np.where(right, -np.inf, 0.0))[right | (table["gold"] == "anti")]
    table.to_parquet(tmp_path / "table.parquet")
    posts = table[["id"]].assign(group=np.where(right[table.index], "a", "b"), source_id=None)
    posts.to_parquet(tmp_path / "en.parquet")
    view = {"label": {label: [label] for label in LABELS}}
    cell = {("none", 0, "en"): tmp_path / "table.parquet"}
    score = Score(bootstrap=200, metric="accuracy")
    frame = _resample(cell, tmp_path, {"en": tmp_path / "en.parquet"}, views=view, score=score)
    assert set(np.unique(replicates_of(frame))) == {0.0, 0.5, 1.0}


def test_posts_of_single_group_have_no_replicates(predictions, tmp_path):
    posts = pd.DataFrame({"id": [f"en-{number}" for number in range(30)], "group": "bbc", "source_id": None})
    posts.to_parquet(tmp_path / "en.parquet")
    frame = _resample(predictions, tmp_path, {"en": tmp_path / "en.parquet"})
    cell = frame.loc[("topic", "en", "en")]
    assert cell["n"] == 30
    assert cell["score"] > 0
    assert replicates_of(frame).loc[("topic", "en", "en")].isna().all()
    assert replicates_of(frame).loc[("topic", "en", "hu")].notna().all()


def test_incomplete_parallel_texts_share_draws():
    names = np.array([f"text-{number:03d}" for number in range(200)])
    clusters = {"en": names, "hu": np.delete(names, 7), "ko": np.delete(names, [9, 11]), "tr": names + "-own"}
    family = families(clusters)
    drawn = {name: draw_posts(own, 500, 1, family[name]) for name, own in clusters.items()}
    assert (np.delete(drawn["en"], 7, axis=1) == drawn["hu"]).all()
    assert (np.delete(drawn["en"], [9, 11], axis=1) == drawn["ko"]).all()
    assert family["tr"].tolist() == sorted(clusters["tr"])
    assert (drawn["tr"] == draw_posts(clusters["tr"], 500, 1)).all()


def test_family_draw_never_leaves_language_without_posts():
    few, family = np.array(["a", "b"]), np.array(["a", "b", "c", "d"])
    drawn = draw_posts(few, 4000, 1, family)
    assert (drawn.sum(axis=1) > 0).all()
    apart = families({"en": few, "hu": np.array([*"abcdefgh"])})
    assert [len(apart[language]) for language in ("en", "hu")] == [2, 8]


def test_draw_is_bootstrap_sample_by_cluster_name():
    weights = draw_posts(np.array(["b", "a", "c", "d"]), 4000, seed=1)
    assert (weights.sum(axis=1) == 4).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.06)
    assert weights.var(axis=0) == pytest.approx(1 - 1 / 4, abs=0.06)
    other_order = draw_posts(np.array(["a", "b", "c", "d"]), 4000, seed=1)
    assert (other_order == weights[:, [1, 0, 2, 3]]).all()


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_drawn_seeds_have_variance_of_seed_mean(seeds):
    scores = np.arange(seeds) ** 2.0
    drawn = scores[draw_seeds(seeds, 100_000, seed=1)].mean(axis=1)
    assert drawn.var() == pytest.approx(scores.var(ddof=1) / seeds, rel=0.03)


def test_mismatched_prediction_files_raise(predictions, tmp_path):
    path = predictions["none", 0, "en"]
    table = pd.read_parquet(path)
    table.assign(gold="pro").to_parquet(path)
    with pytest.raises(UserError, match=r"the gold labels of 10 posts.*'en-2'"):
        _resample(predictions, tmp_path)
    pd.concat([table, table.head(1)]).to_parquet(path)
    with pytest.raises(UserError, match="contains a post id twice"):
        _resample(predictions, tmp_path)
