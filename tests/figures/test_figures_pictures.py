import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from babelgrid.analysis.scores.curves import collect_curves
from babelgrid.analysis.tables import read_table
from babelgrid.errors import UserError
from babelgrid.figures.bias import draw_exposure_bias
from babelgrid.figures.confusion import draw_confusion
from babelgrid.figures.curves import draw_curves
from babelgrid.figures.gain import draw_gain
from babelgrid.figures.matrix import (
    draw_clustered_matrix,
    draw_gain_matrix,
    draw_gap_matrix,
    draw_transfer_matrix,
)
from babelgrid.figures.picture import GridTables, Picture
from babelgrid.figures.style import ONE_COLUMN
from babelgrid.runtime.files import write_csv
from synthetic import clusters_of

pytestmark = pytest.mark.slow

LANGUAGES = ["en", "es", "hu", "de", "fr", "it", "tr"]
SHARES = {"en": 89.7, "es": 0.13, "hu": 0.03, "de": 0.17, "fr": 0.16, "it": 0.11}
MIXTURES = {"none": [], "en": ["en"], "hu": ["hu"], "en+es": ["en", "es"], "all": LANGUAGES, "en+hu@25": ["en", "hu"]}
NOTE = "A constructed world."


@pytest.fixture
def tables(tmp_path):
    return _write_tables(tmp_path)


def _write_tables(folder):
    generator = np.random.default_rng(0)
    cells, exposure = [], []
    for mixture, held in MIXTURES.items():
        for language in LANGUAGES:
            tokens = 500.0 * (language in held)
            exposure.append(
                {
                    "mixture": mixture,
                    "language": language,
                    "seen": language in held,
                    "share_llama2": SHARES.get(language),
                    "finetune_text_tokens_seen": tokens,
                }
            )
            for seed in range(1 if mixture == "none" else 2):
                score = generator.uniform(0.4, 0.9)
                scores = {"macro_f1": score, "macro_f1_low": score - 0.05, "macro_f1_high": score + 0.05}
                rivals = {"majority_macro_f1": 0.33, "ngram_macro_f1": np.nan if mixture == "none" else 0.6}
                key = {"mixture": mixture, "seed": seed, "test_language": language, "split": "test", "view": "topic"}
                cells.append({**key, "n": 50, **scores, **rivals})
    write_csv(folder / "cells.csv", pd.DataFrame(cells))
    write_csv(folder / "exposure.csv", pd.DataFrame(exposure))
    means = (
        pd.DataFrame(cells).groupby(["view", "mixture", "test_language"], sort=False)["macro_f1"].mean().reset_index()
    )
    scores = means.assign(low=means["macro_f1"] - 0.07, high=means["macro_f1"] + 0.07)
    write_csv(folder / "scores.csv", scores.assign(ranked=scores["test_language"] != "tr"))
    write_csv(folder / "clusters.csv", clusters_of(scores))
    return GridTables(folder / "cells.csv", folder / "scores.csv", folder / "exposure.csv")


def _draw(draw, tables, stem, **changes):
    further = [Path(tables.cells).with_name("clusters.csv")] if draw is draw_clustered_matrix else []
    picture = {"view": "topic", "metric": "macro_f1", "table": "llama2", "note": NOTE} | changes
    draw(tables, Picture(**picture, out_stem=stem), *further)


DRAWN = {
    "matrix": draw_transfer_matrix,
    "gap": draw_gap_matrix,
    "gain_matrix": draw_gain_matrix,
    "clustered": draw_clustered_matrix,
    "bias": draw_exposure_bias,
    "gain": draw_gain,
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Draw every figure once from the same tables, and return their folder."""
    folder = tmp_path_factory.mktemp("drawn")
    for name, draw in DRAWN.items():
        _draw(draw, _write_tables(folder), folder / name)
    return folder


figures = pytest.mark.parametrize("name", list(DRAWN))


@pytest.mark.grid
@figures
def test_user_matplotlib_settings_do_not_change_the_bytes(name, drawn, tables, tmp_path):
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "red"}):
        _draw(DRAWN[name], tables, tmp_path / name)
    for ending in ("pdf", "svg", "png", "csv"):
        assert (tmp_path / f"{name}.{ending}").read_bytes() == (drawn / f"{name}.{ending}").read_bytes(), ending


@figures
def test_text_in_svg_and_pdf_is_not_converted_to_paths(name, drawn):
    lines = re.findall(r"<text[^>]*>([^<]+)</text>", (drawn / f"{name}.svg").read_text())
    # Matplotlib writes the lines of wrapped text in reverse order.
    assert NOTE in " ".join(lines) or NOTE in " ".join(reversed(lines))
    assert any("topic" in line for line in lines)
    assert b"/Subtype /Type3" not in (drawn / f"{name}.pdf").read_bytes()


def _edges(path):
    pixels = np.asarray(Image.open(path).convert("L"))
    return np.concatenate([pixels[:4].ravel(), pixels[-4:].ravel(), pixels[:, :4].ravel(), pixels[:, -4:].ravel()])


@figures
def test_edges_are_white_at_one_and_two_columns(name, drawn, tables, tmp_path):
    assert (_edges(drawn / f"{name}.png") == 255).all()
    _draw(DRAWN[name], tables, tmp_path / name, width=ONE_COLUMN)
    assert Image.open(tmp_path / f"{name}.png").width == round(300 * ONE_COLUMN)
    assert (_edges(tmp_path / f"{name}.png") == 255).all()


@figures
def test_unknown_view_is_an_error_and_writes_no_file(name, tables, tmp_path):
    with pytest.raises(UserError, match="did you mean 'topic'"):
        _draw(DRAWN[name], tables, tmp_path / "figure", view="topics")
    assert not list(tmp_path.glob("figure*"))


def test_matrix_orders_languages_by_exposure_unknown_last(drawn):
    data = pd.read_csv(drawn / "matrix.csv", keep_default_na=False, na_values=[""])
    assert data["test_language"].head(7).tolist() == ["en", "de", "fr", "es", "it", "hu", "tr"]
    assert data["mixture"].drop_duplicates().tolist() == list(MIXTURES)


def test_matrix_marks_cells_no_better_than_a_baseline(drawn):
    data = pd.read_csv(drawn / "matrix.csv")
    assert (data["beats_baseline"] == (data["score"] > data["baseline"])).all()
    weak = data["ranked"] & ~data["beats_baseline"]
    assert (drawn / "matrix.svg").read_text().count("font-style: italic") == weak.sum() > 0


def test_matrix_shows_an_empty_cell_as_a_dash(tables, tmp_path):
    cells = pd.read_csv(tables.cells)
    empty = (cells["test_language"] == "tr") & (cells["mixture"] == "en")
    scores = ["macro_f1", "macro_f1_low", "macro_f1_high", "majority_macro_f1", "ngram_macro_f1"]
    cells.loc[empty, scores] = np.nan
    cells.loc[empty, "n"] = 0
    write_csv(tables.cells, cells)
    _draw(draw_transfer_matrix, tables, tmp_path / "matrix")
    assert ">\N{EN DASH}</text>" in (tmp_path / "matrix.svg").read_text()
    _draw(draw_exposure_bias, tables, tmp_path / "bias")
    assert len(pd.read_csv(tmp_path / "bias.csv").query("mixture == 'en'")) == len(LANGUAGES) - 1


def test_bias_plot_counts_languages_of_known_exposure(drawn):
    assert (drawn / "bias.svg").read_text().count("n = 6") == len(MIXTURES)
    assert "FillBetweenPolyCollection" in (drawn / "bias.svg").read_text()


@pytest.mark.parametrize("known", [[], ["en"], ["en", "es", "hu", "de"]])
def test_bias_plot_draws_no_fit_over_few_languages(tables, tmp_path, known):
    exposure = pd.read_csv(tables.exposure, keep_default_na=False, na_values=[""])
    exposure.loc[~exposure["language"].isin(known), "share_llama2"] = np.nan
    write_csv(tables.exposure, exposure)
    _draw(draw_exposure_bias, tables, tmp_path / "bias")
    svg = (tmp_path / "bias.svg").read_text()
    assert f"n = {len(known)}" in svg
    assert "FillBetweenPolyCollection" not in svg


def test_zero_and_unknown_exposure_have_separate_strips(tables, tmp_path):
    exposure = pd.read_csv(tables.exposure, keep_default_na=False, na_values=[""])
    exposure.loc[exposure["language"] == "hu", "share_llama2"] = 0
    write_csv(tables.exposure, exposure)
    _draw(draw_exposure_bias, tables, tmp_path / "bias")
    words = re.findall(r"<text[^>]*>([^<]+)</text>", (tmp_path / "bias.svg").read_text())
    assert {"unknown", "zero"} <= set(words)


def test_gain_is_the_difference_from_the_untuned_base(drawn):
    data = pd.read_csv(drawn / "gain.csv", keep_default_na=False, na_values=[""])
    cells = pd.read_csv(drawn / "cells.csv", keep_default_na=False, na_values=[""]).groupby(
        ["mixture", "test_language"]
    )
    means = cells["macro_f1"].mean()
    row = data.query("mixture == 'en+es' and test_language == 'hu'").iloc[0]
    assert row["gain"] == pytest.approx(means["en+es", "hu"] - means["none", "hu"], abs=1e-5)
    assert "none" not in set(data["mixture"])


def test_gain_without_the_untuned_base_is_an_error(tables, tmp_path):
    cells = pd.read_csv(tables.cells, keep_default_na=False, na_values=[""])
    write_csv(tables.cells, cells[cells["mixture"] != "none"])
    with pytest.raises(UserError, match=r"mixtures\.none: true"):
        _draw(draw_gain, tables, tmp_path / "gain")


def test_cells_with_too_few_posts_are_grey(drawn):
    data = pd.read_csv(drawn / "matrix.csv")
    assert set(data.loc[~data["ranked"], "test_language"]) == {"tr"}
    # One more than the cells: the key at the foot.
    assert (drawn / "matrix.svg").read_text().count("fill: #e8e8e8") == (~data["ranked"]).sum() + 1


def test_gap_is_the_difference_from_the_in_language_adapter(drawn):
    data = pd.read_csv(drawn / "gap.csv", keep_default_na=False, na_values=[""]).set_index(["mixture", "test_language"])
    assert data.loc[("hu", "hu"), "value"] == 0
    expected = data.loc[("en+es", "hu"), "score"] - data.loc[("hu", "hu"), "score"]
    assert data.loc[("en+es", "hu"), "value"] == pytest.approx(expected, abs=1e-5)
    assert data.xs("de", level="test_language")["value"].isna().all()


def test_gain_matrix_leaves_out_the_untuned_base(drawn):
    assert "none" not in set(pd.read_csv(drawn / "gain_matrix.csv", keep_default_na=False)["mixture"])


def test_clustered_matrix_follows_the_table_and_keeps_what_it_lacks(tables, tmp_path):
    path = Path(tables.cells).with_name("clusters.csv")
    clusters = read_table(path)
    write_csv(path, clusters[clusters["name"] != "hu"])
    _draw(draw_clustered_matrix, tables, tmp_path / "clustered")
    data = pd.read_csv(tmp_path / "clustered.csv", keep_default_na=False)
    for axis in ("mixture", "test_language"):
        names = data[axis].drop_duplicates().tolist()
        assert names == [*sorted(set(names) - {"hu"}), "hu"]


def test_clustered_matrix_has_the_same_scores_reordered(drawn):
    key = ["mixture", "test_language"]
    matrix, clustered = (
        pd.read_csv(drawn / f"{name}.csv", keep_default_na=False, na_values=[""]).set_index(key)["score"]
        for name in ("matrix", "clustered")
    )
    assert list(matrix.index) != list(clustered.index)
    assert matrix.sort_index().equals(clustered.sort_index())


@pytest.fixture
def confusions(tmp_path):
    rows = [("topic", "all", "hu", gold, predicted, n) for gold, predicted, n in (("a", "a", 30), ("a", "b", 10))]
    rows += [("topic", "all", "hu", gold, predicted, n) for gold, predicted, n in (("b", "a", 0), ("b", "b", 0))]
    columns = ["view", "mixture", "test_language", "gold", "predicted", "n"]
    pd.DataFrame(rows, columns=columns).to_parquet(tmp_path / "confusions.parquet")
    return tmp_path / "confusions.parquet"


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_confusion_is_in_percent_of_the_gold_class(confusions, tmp_path, width):
    stem = tmp_path / "confusion"
    draw_confusion(confusions, view="topic", mixture="all", note=NOTE, width=width, out_stem=stem)
    words = re.findall(r"<text[^>]*>([^<]+)</text>", (tmp_path / "confusion.svg").read_text())
    assert words.count("75") == words.count("25") == 1
    assert words.count("\N{EN DASH}") == 2
    assert (_edges(tmp_path / "confusion.png") == 255).all()
    with pytest.raises(UserError, match="no results of the mixture 'en'"):
        draw_confusion(confusions, view="topic", mixture="en", note=NOTE, width=width, out_stem=stem)


@pytest.mark.parametrize("mixtures", [["en", "hu"], [*LANGUAGES, "xx", "yy"]])
def test_learning_curves_are_named_or_summarised_by_median(tables, tmp_path, mixtures):
    for number, name in enumerate(mixtures):
        steps = pd.DataFrame({"step": [1, 2], "epoch": [0.5, 1.0], "loss": [1.0, 0.5 + number / 10]})
        write_csv(tmp_path / f"{name}.csv", steps.assign(learning_rate=0.1, grad_norm=1.0))
    collect_curves({(name, 0): tmp_path / f"{name}.csv" for name in mixtures}, tmp_path / "curves.csv")
    exposure = pd.DataFrame({"mixture": mixtures, "language": mixtures, "seen": True})
    write_csv(tables.exposure, exposure)
    draw_curves(tmp_path / "curves.csv", tables.exposure, note=NOTE, width=7.0, out_stem=tmp_path / "curves_drawn")
    words = re.findall(r"<text[^>]*>([^<]+)</text>", (tmp_path / "curves_drawn.svg").read_text())
    assert ("median" in words) == (len(mixtures) > 8)
    assert ("hu" in words) == (len(mixtures) <= 8)
    assert len(pd.read_csv(tmp_path / "curves_drawn.csv")) == 2 * len(mixtures)
