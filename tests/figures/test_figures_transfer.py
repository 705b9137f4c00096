"""Test the figures of donors, doses and calibration."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from babelgrid.errors import UserError
from babelgrid.figures.calibration import draw_calibration
from babelgrid.figures.donors import draw_donors
from babelgrid.figures.doses import draw_doses
from babelgrid.runtime.files import write_csv
from synthetic import FOUR, LANGUAGES, write_tables

WIDTHS = pytest.mark.parametrize("width", [3.4, 7.0])
NOTE = "A constructed world."


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return write_tables(tmp_path_factory.mktemp("tables"), [*FOUR, "hu", "en+hu@5", "en+hu@25"])


def _words(stem):
    return re.findall(r"<text[^>]*>([^<]+)</text>", stem.with_suffix(".svg").read_text(encoding="utf-8"))


def _is_whole(stem, width):
    pixels = np.asarray(Image.open(stem.with_suffix(".png")).convert("L"))
    edges = np.concatenate([pixels[:4].ravel(), pixels[-4:].ravel(), pixels[:, :4].ravel(), pixels[:, -4:].ravel()])
    return pixels.shape[1] == round(300 * width) and (edges == 255).all()


@pytest.mark.slow
@WIDTHS
def test_donors_are_drawn_with_intervals_others_in_the_margin(tables, tmp_path, width):
    stem = tmp_path / "donors"
    look = {"metric": "macro_f1", "note": NOTE, "width": width, "out_stem": stem}
    draw_donors(tables["donors"], view="topic", languages=LANGUAGES, **look)
    assert set(LANGUAGES) <= set(_words(stem))
    assert _is_whole(stem, width)
    data = pd.read_csv(tmp_path / "donors.csv", keep_default_na=False, na_values=[""]).set_index("language")
    donors = pd.read_csv(tables["donors"]).query("view == 'topic'").set_index(["role", "name"])
    assert data.loc["hu", "gives"] == pytest.approx(donors.loc[("donor", "hu"), "score"], abs=1e-6)
    assert data.loc["hu", "gets_high"] == pytest.approx(donors.loc[("recipient", "hu"), "high"], abs=1e-6)
    assert np.isnan(data.loc["ko", "gives"])


@pytest.mark.slow
def test_too_few_donors_give_a_note_instead_of_a_plot(tables, tmp_path):
    donors = pd.read_csv(tables["donors"])
    write_csv(tmp_path / "few.csv", donors[donors["role"] == "recipient"])
    stem = tmp_path / "donors"
    look = {"metric": "macro_f1", "note": NOTE, "width": 7.0, "out_stem": stem}
    draw_donors(tmp_path / "few.csv", view="topic", languages=LANGUAGES, **look)
    assert any("Fewer than two languages" in word for word in _words(stem))


@pytest.mark.slow
@WIDTHS
def test_doses_are_drawn_with_curve_and_sufficient_dose(tables, tmp_path, width):
    stem = tmp_path / "doses"
    look = {"metric": "macro_f1", "note": NOTE, "width": width, "out_stem": stem}
    draw_doses(tables["doses"], tables["dose_fits"], tables["dose_curves"], view="topic", **look)
    assert "95% at 18 [8, never]" in _words(stem)
    assert _is_whole(stem, width)
    data = pd.read_csv(tmp_path / "doses.csv")
    assert data[["dose", "mixture"]].to_numpy().tolist() == [[0, "en"], [5, "en+hu@5"], [25, "en+hu@25"]]
    with pytest.raises(UserError, match=r"mixtures\.doses"):
        draw_doses(tables["doses"], tables["dose_fits"], tables["dose_curves"], view="other", **look)


@pytest.mark.slow
def test_short_dose_series_is_drawn_without_a_curve(tables, tmp_path):
    fits = pd.read_csv(tables["dose_fits"])
    empty = ["floor", "rise", "scale", "size", "size_low", "size_high"]
    write_csv(tmp_path / "fits.csv", fits.assign(**dict.fromkeys(empty, np.nan)))
    stem = tmp_path / "doses"
    look = {"metric": "macro_f1", "note": NOTE, "width": 7.0, "out_stem": stem}
    write_csv(tmp_path / "curves.csv", pd.read_csv(tables["dose_curves"]).head(0))
    draw_doses(tables["doses"], tmp_path / "fits.csv", tmp_path / "curves.csv", view="topic", **look)
    assert "too few doses for a curve" in _words(stem)


@pytest.mark.slow
@WIDTHS
def test_calibration_is_sorted_from_best_to_worst_language(tables, tmp_path, width):
    stem = tmp_path / "calibration"
    draw_calibration(tables["calibration"], view="topic", mixture="all", note=NOTE, width=width, out_stem=stem)
    assert _is_whole(stem, width)
    assert pd.read_csv(tmp_path / "calibration.csv")["ece"].is_monotonic_increasing
    assert any("the other half" in word for word in _words(stem))


def test_answers_without_probabilities_give_a_note(tables, tmp_path):
    stem = tmp_path / "calibration"
    draw_calibration(tables["calibration"], view="topic", mixture="none", note=NOTE, width=7.0, out_stem=stem)
    assert any("no probabilities" in word for word in _words(stem))


@pytest.mark.slow
def test_target_that_no_dose_reaches_is_stated_in_the_title(tables, tmp_path):
    fits = pd.read_csv(tables["dose_fits"])
    write_csv(tmp_path / "fits.csv", fits.assign(size=np.inf))
    look = {"metric": "macro_f1", "note": NOTE, "width": 7.0, "out_stem": tmp_path / "doses"}
    draw_doses(tables["doses"], tmp_path / "fits.csv", tables["dose_curves"], view="topic", **look)
    assert "95% never reached [8, never]" in _words(tmp_path / "doses")
