import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from babelgrid.errors import UserError
from babelgrid.figures.bias import draw_exposure_bias
from babelgrid.figures.gain import draw_gain
from babelgrid.figures.matrix import draw_transfer_matrix

LANGUAGES = ["en", "es", "hu", "de", "fr", "it", "tr"]
SHARES = {"en": 89.7, "es": 0.13, "hu": 0.03, "de": 0.17, "fr": 0.16, "it": 0.11}
MIXTURES = {"none": [], "en": ["en"], "en+es": ["en", "es"], "all": LANGUAGES, "en+hu@25": ["en", "hu"]}
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
    pd.DataFrame(cells).to_csv(folder / "cells.csv", index=False)
    pd.DataFrame(exposure).to_csv(folder / "exposure.csv", index=False)
    return folder / "cells.csv", folder / "exposure.csv"


def _draw(draw, tables, stem, **changes):
    settings = {"view": "topic", "metric": "macro_f1", "note": NOTE, "out_stem": stem}
    if draw is not draw_gain:
        settings["table"] = "llama2"
    draw(*tables, **{**settings, **changes})


DRAWN = {"matrix": draw_transfer_matrix, "bias": draw_exposure_bias, "gain": draw_gain}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Every figure, drawn once from the same tables."""
    folder = tmp_path_factory.mktemp("drawn")
    for name, draw in DRAWN.items():
        _draw(draw, _write_tables(folder), folder / name)
    return folder


figures = pytest.mark.parametrize("name", list(DRAWN))


@figures
def test_a_user_with_other_matplotlib_settings_gets_the_same_bytes(name, drawn, tables, tmp_path):
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "red"}):
        _draw(DRAWN[name], tables, tmp_path / name)
    for ending in ("pdf", "svg", "png", "csv"):
        assert (tmp_path / f"{name}.{ending}").read_bytes() == (drawn / f"{name}.{ending}").read_bytes(), ending


@figures
def test_text_stays_text(name, drawn):
    words = re.findall(r"<text[^>]*>([^<]+)</text>", (drawn / f"{name}.svg").read_text())
    assert any("constructed world" in word for word in words)
    assert any("topic" in word for word in words)
    assert b"/Subtype /Type3" not in (drawn / f"{name}.pdf").read_bytes()


@figures
def test_nothing_is_cut_off_at_the_edges(name, drawn):
    pixels = np.asarray(Image.open(drawn / f"{name}.png").convert("L"))
    edges = np.concatenate([pixels[:4].ravel(), pixels[-4:].ravel(), pixels[:, :4].ravel(), pixels[:, -4:].ravel()])
    assert (edges == 255).all()


@figures
def test_an_unknown_view_is_an_error_and_leaves_no_picture(name, tables, tmp_path):
    with pytest.raises(UserError, match="did you mean 'topic'"):
        _draw(DRAWN[name], tables, tmp_path / "figure", view="topics")
    assert not list(tmp_path.glob("figure*"))


def test_the_matrix_orders_languages_by_exposure_with_the_unknown_last(drawn):
    data = pd.read_csv(drawn / "matrix.csv", keep_default_na=False, na_values=[""])
    assert data["test_language"].head(7).tolist() == ["en", "de", "fr", "es", "it", "hu", "tr"]
    assert data["mixture"].drop_duplicates().tolist() == list(MIXTURES)


def test_the_matrix_marks_what_is_no_better_than_the_better_baseline(drawn):
    data = pd.read_csv(drawn / "matrix.csv")
    assert (data["beats_baseline"] == (data["score"] > data["baseline"])).all()
    assert (drawn / "matrix.svg").read_text().count("font-style: italic") == (~data["beats_baseline"]).sum() > 0


def test_the_matrix_shows_an_empty_cell_as_a_dash(tables, tmp_path):
    cells = pd.read_csv(tables[0])
    empty = (cells["test_language"] == "tr") & (cells["mixture"] == "en")
    scores = ["macro_f1", "macro_f1_low", "macro_f1_high", "majority_macro_f1", "ngram_macro_f1"]
    cells.loc[empty, scores] = np.nan
    cells.loc[empty, "n"] = 0
    cells.to_csv(tables[0], index=False)
    _draw(draw_transfer_matrix, tables, tmp_path / "matrix")
    assert ">\N{EN DASH}</text>" in (tmp_path / "matrix.svg").read_text()
    _draw(draw_exposure_bias, tables, tmp_path / "bias")
    assert len(pd.read_csv(tmp_path / "bias.csv").query("mixture == 'en'")) == len(LANGUAGES) - 1


def test_the_bias_plot_counts_only_languages_of_known_exposure(drawn):
    assert (drawn / "bias.svg").read_text().count("n = 6") == len(MIXTURES)
    assert "FillBetweenPolyCollection" in (drawn / "bias.svg").read_text()


@pytest.mark.parametrize("known", [[], ["en"], ["en", "es", "hu", "de"]])
def test_the_bias_plot_draws_no_line_over_few_languages(tables, tmp_path, known):
    exposure = pd.read_csv(tables[1], keep_default_na=False, na_values=[""])
    exposure.loc[~exposure["language"].isin(known), "share_llama2"] = np.nan
    exposure.to_csv(tables[1], index=False)
    _draw(draw_exposure_bias, tables, tmp_path / "bias")
    svg = (tmp_path / "bias.svg").read_text()
    assert f"n = {len(known)}" in svg
    assert "FillBetweenPolyCollection" not in svg


def test_a_known_exposure_of_zero_stands_apart_from_an_unknown_one(tables, tmp_path):
    exposure = pd.read_csv(tables[1], keep_default_na=False, na_values=[""])
    exposure.loc[exposure["language"] == "hu", "share_llama2"] = 0
    exposure.to_csv(tables[1], index=False)
    _draw(draw_exposure_bias, tables, tmp_path / "bias")
    words = re.findall(r"<text[^>]*>([^<]+)</text>", (tmp_path / "bias.svg").read_text())
    assert {"unknown", "zero"} <= set(words)


def test_the_gain_is_the_difference_to_the_untuned_base(drawn):
    data = pd.read_csv(drawn / "gain.csv", keep_default_na=False, na_values=[""])
    cells = pd.read_csv(drawn / "cells.csv", keep_default_na=False, na_values=[""]).groupby(
        ["mixture", "test_language"]
    )
    means = cells["macro_f1"].mean()
    row = data.query("mixture == 'en+es' and test_language == 'hu'").iloc[0]
    assert row["gain"] == pytest.approx(means["en+es", "hu"] - means["none", "hu"], abs=1e-5)
    assert "none" not in set(data["mixture"])


def test_a_gain_without_the_untuned_base_is_an_error(tables, tmp_path):
    cells = pd.read_csv(tables[0], keep_default_na=False, na_values=[""])
    cells[cells["mixture"] != "none"].to_csv(tables[0], index=False)
    with pytest.raises(UserError, match=r"mixtures\.none: true"):
        _draw(draw_gain, tables, tmp_path / "gain")
