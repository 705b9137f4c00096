"""Test that every figure is legible: texts do not overlap, stay in the figure, and have at least 6 points."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from babelgrid.cost.tables import COLUMNS
from babelgrid.figures.bias import draw_exposure_bias
from babelgrid.figures.calibration import draw_calibration
from babelgrid.figures.confusion import draw_confusion
from babelgrid.figures.cost import draw_cost
from babelgrid.figures.curves import draw_curves
from babelgrid.figures.donors import draw_donors
from babelgrid.figures.doses import draw_doses
from babelgrid.figures.gain import draw_gain
from babelgrid.figures.intervention import draw_intervention
from babelgrid.figures.matrix import (
    draw_clustered_matrix,
    draw_gain_matrix,
    draw_gap_matrix,
    draw_transfer_matrix,
)
from babelgrid.figures.picture import GridTables, Picture
from babelgrid.figures.style import house_style
from babelgrid.runtime.files import write_csv
from print_boxes import drawn_texts, outside, over_panels, overlaps
from synthetic import clusters_of

pytestmark = pytest.mark.grid

CODES = [
    "en",
    "de",
    "fr",
    "es",
    "it",
    "pt",
    "nl",
    "pl",
    "cs",
    "sk",
    "hu",
    "ro",
    "bg",
    "el",
    "tr",
    "ar",
    "he",
    "fa",
    "hi",
    "bn",
    "ta",
    "te",
    "th",
    "vi",
    "id",
    "ms",
    "ja",
    "ko",
    "zh-Hans",
    "zh-Hant",
    "sr-Latn",
    "sr-Cyrl",
    "no",
    "nan",
    "af",
    "sq",
    "am",
    "hy",
    "az",
    "eu",
    "be",
    "bs",
    "my",
    "ca",
    "hr",
    "da",
    "et",
    "fil",
    "fi",
    "gl",
    "ka",
    "gu",
    "ht",
    "ha",
    "is",
    "ig",
    "ga",
    "jv",
    "kn",
    "kk",
    "km",
    "lo",
    "lv",
    "lt",
    "lb",
    "mk",
    "mg",
    "ml",
    "mt",
    "mi",
    "mr",
    "mn",
    "ne",
    "ps",
    "pa",
    "qu",
    "sm",
    "gd",
    "st",
]
SIZES = pytest.mark.parametrize(("number", "width"), [(2, 7.0), (13, 3.4), (34, 7.0), (77, 7.0)])
NOTE = "A constructed world."


@pytest.fixture
def texts_of(monkeypatch):
    """Return a function that draws a figure and returns it with its texts, without writing an image."""

    def capture(draw):
        figures = []
        with monkeypatch.context() as patch:
            patch.setattr(Figure, "savefig", lambda self, path, **_: figures.append(self) or Path(path).touch())
            draw()
        with house_style():
            mpl.rcParams["font.family"] = ["DejaVu Sans"]
            return figures[0], drawn_texts(figures[0], monkeypatch)

    return capture


def assert_legible(figure, texts):
    assert len(texts) > 3
    assert min(text.size for text in texts) >= 6
    assert outside(figure, texts) == []
    assert overlaps(texts) == []
    assert over_panels(figure, texts) == []


def _grid(folder, languages, mixtures):
    """Write the tables of a grid; every third language has unknown exposure, and shares get very small."""
    generator = np.random.default_rng(0)
    share = {code: np.nan if place % 3 == 2 else 90 / 1.9**place for place, code in enumerate(languages)}
    cells, exposure = [], []
    for mixture, held in mixtures.items():
        for code in languages:
            seen = code in held
            score = generator.uniform(0.3, 0.95)
            tokens = generator.uniform(200, 90000) * seen
            exposure.append((mixture, code, seen, share[code], tokens))
            cells.append((mixture, 0, code, "test", "topic", 50, score, score - 0.05, score + 0.05, 0.33, 0.6))
    columns = ["mixture", "seed", "test_language", "split", "view", "n", "macro_f1", "macro_f1_low", "macro_f1_high"]
    columns += ["majority_macro_f1", "ngram_macro_f1"]
    cells = pd.DataFrame(cells, columns=columns)
    write_csv(folder / "cells.csv", cells)
    columns = ["mixture", "language", "seen", "share_llama2", "finetune_text_tokens_seen"]
    write_csv(folder / "exposure.csv", pd.DataFrame(exposure, columns=columns))
    scores = cells[["view", "mixture", "test_language"]].assign(low=cells["macro_f1_low"], high=cells["macro_f1_high"])
    write_csv(folder / "scores.csv", scores.assign(ranked=cells["test_language"] != languages[-1]))
    write_csv(folder / "clusters.csv", clusters_of(scores))
    return GridTables(folder / "cells.csv", folder / "scores.csv", folder / "exposure.csv")


def _mixtures(languages):
    long = "a-very-long-name-of-a-set-of-languages-that-somebody-chose_for-a-reason.v2"
    alone = {code: [code] for code in languages[:2]}
    return {"none": [], **alone, long: languages[:2], "all": languages}


ON_GRID = {
    "transfer": draw_transfer_matrix,
    "clustered": draw_clustered_matrix,
    "gap": draw_gap_matrix,
    "gain matrix": draw_gain_matrix,
    "gain": draw_gain,
    "bias": draw_exposure_bias,
}


@SIZES
@pytest.mark.parametrize("name", list(ON_GRID))
def test_figures_of_the_grid_are_legible_for_any_number_of_languages(texts_of, tmp_path, name, number, width):
    languages = CODES[:number]
    tables = _grid(tmp_path, languages, _mixtures(languages))
    picture = Picture("topic", "macro_f1", "llama2", tmp_path / "figure", NOTE, width)
    further = [tmp_path / "clusters.csv"] if name == "clustered" else []
    assert_legible(*texts_of(lambda: ON_GRID[name](tables, picture, *further)))


def _confusions(folder, classes, languages):
    rows = [
        ("topic", "all", code, gold, predicted, 3 + (gold == predicted) * 40)
        for code in languages
        for gold in classes
        for predicted in [*classes, ""]
    ]
    columns = ["view", "mixture", "test_language", "gold", "predicted", "n"]
    pd.DataFrame(rows, columns=columns).to_parquet(folder / "confusions.parquet")
    return folder / "confusions.parquet"


@pytest.mark.parametrize(
    ("classes", "number", "width", "numbers"),
    [
        (2, 2, 3.4, True),
        (2, 34, 7.0, True),
        (4, 13, 7.0, True),
        (13, 13, 3.4, False),
        (34, 3, 7.0, False),
        (77, 2, 7.0, False),
    ],
)
def test_confusion_is_legible_for_any_number_of_labels(texts_of, tmp_path, classes, number, width, numbers):
    names = [f"intent_{place:02}_card_payment_not_recognised"[: 9 + 3 * (place % 10)] for place in range(classes)]
    table = _confusions(tmp_path, names, CODES[-number:])
    look = {"view": "topic", "mixture": "all", "note": NOTE, "width": width, "out_stem": tmp_path / "figure"}
    figure, texts = texts_of(lambda: draw_confusion(table, **look))
    assert_legible(figure, texts)
    assert any(text.words.isdigit() for text in texts) == numbers


@pytest.mark.parametrize("number", [2, 13, 34, 77])
def test_calibration_is_legible_for_any_number_of_languages(texts_of, tmp_path, number):
    table = pd.DataFrame({"test_language": CODES[:number], "view": "topic", "mixture": "all", "scaled_on": "dev posts"})
    table = table.assign(ece=0.1, ece_scaled=0.05, brier=0.4, brier_scaled=0.35)
    write_csv(tmp_path / "calibration.csv", table)
    look = {"view": "topic", "mixture": "all", "note": NOTE, "width": 7.0, "out_stem": tmp_path / "figure"}
    assert_legible(*texts_of(lambda: draw_calibration(tmp_path / "calibration.csv", **look)))


@SIZES
def test_donors_are_legible_for_any_number_of_languages(texts_of, tmp_path, number, width):
    generator = np.random.default_rng(0)
    rows = [
        ("topic", role, code, score, score - 0.03, score + 0.03, 5)
        for role in ("donor", "recipient")
        for code, score in zip(CODES[:number], generator.uniform(0.4, 0.8, number), strict=True)
    ]
    write_csv(
        tmp_path / "donors.csv", pd.DataFrame(rows, columns=["view", "role", "name", "score", "low", "high", "cells"])
    )
    look = {"metric": "macro_f1", "note": NOTE, "width": width, "out_stem": tmp_path / "figure"}
    languages = CODES[:number]
    figure, texts = texts_of(lambda: draw_donors(tmp_path / "donors.csv", view="topic", languages=languages, **look))
    assert_legible(figure, texts)
    assert len({text.words for text in texts} & set(languages)) >= 0.9 * number


@SIZES
def test_intervention_is_legible_for_any_number_of_languages(texts_of, tmp_path, number, width):
    ratio = np.linspace(-1, 1, number)
    mixtures = ["en", "all", "en+de+fr+es+it+pt+nl+pl@2500"]
    rows = [
        ("topic", mixture, code, x, x / 10, x / 10 - 0.05, x / 10 + 0.05)
        for mixture in mixtures
        for code, x in zip(CODES[:number], ratio, strict=True)
    ]
    columns = ["view", "mixture", "test_language", "log10_ratio", "difference", "low", "high"]
    write_csv(tmp_path / "cells.csv", pd.DataFrame(rows, columns=columns))
    slopes = pd.DataFrame({"view": "topic", "mixture": mixtures, "languages": number, "slope": 0.1})
    write_csv(tmp_path / "slopes.csv", slopes.assign(low=0.06, high=0.14))
    look = {"metric": "macro_f1", "against": "lab", "note": NOTE, "width": width, "out_stem": tmp_path / "figure"}
    figure, texts = texts_of(
        lambda: draw_intervention(tmp_path / "cells.csv", tmp_path / "slopes.csv", view="topic", **look)
    )
    assert_legible(figure, texts)


@SIZES
def test_doses_are_legible_for_any_number_of_languages(texts_of, tmp_path, number, width):
    doses = [0, 5, 10, 25, 50, 100, 200, 400, 800]
    keys = [("topic", "en+de+fr+es+it", code) for code in CODES[-number:]]
    rows = [(*key, dose, 0.5, 0.45, 0.55) for key in keys for dose in doses]
    columns = ["view", "base", "language", "dose", "score", "low", "high"]
    write_csv(tmp_path / "doses.csv", pd.DataFrame(rows, columns=columns))
    fits = pd.DataFrame(keys, columns=columns[:3]).assign(target=0.7, size=123.0, size_low=50.0, size_high=np.inf)
    write_csv(tmp_path / "fits.csv", fits)
    write_csv(tmp_path / "curves.csv", pd.DataFrame(rows, columns=columns))
    paths = [tmp_path / f"{name}.csv" for name in ("doses", "fits", "curves")]
    look = {"metric": "macro_f1", "note": NOTE, "width": width, "out_stem": tmp_path / "figure"}
    assert_legible(*texts_of(lambda: draw_doses(*paths, view="topic", **look)))


@SIZES
def test_learning_curves_are_legible_for_any_number_of_mixtures(texts_of, tmp_path, number, width):
    names = [*CODES[: number - 1], "a-very-long-name-of-a-set-of-languages-that-somebody-chose"]
    rows = [(name, 0, step, step / 10, 1 / (1 + step)) for name in names for step in range(10)]
    write_csv(tmp_path / "c.csv", pd.DataFrame(rows, columns=["mixture", "seed", "step", "epoch", "loss"]))
    seen = pd.DataFrame({"mixture": names, "language": CODES[:number], "seen": True})
    write_csv(tmp_path / "exposure.csv", seen)
    look = {"note": NOTE, "width": width, "out_stem": tmp_path / "figure"}
    assert_legible(*texts_of(lambda: draw_curves(tmp_path / "c.csv", tmp_path / "exposure.csv", **look)))


@SIZES
def test_cost_is_legible_for_any_number_of_models(texts_of, tmp_path, number, width):
    long = "some-organisation/a-large-language-model-of-70-billion-parameters-instruct-4bit"
    rows = [{"model": f"{long}-{place}", "how": "own", "device": "A GPU", "rented": 3.0} for place in range(number - 1)]
    rows = [{**row, "electricity": 0.3, "posts_per_second": 500 + 7000.0 * place} for place, row in enumerate(rows)]
    rows.append({"model": "gpt", "how": "list price", "charged": 1560.0, "posts_per_second": 0.4})
    write_csv(tmp_path / "cost.csv", pd.DataFrame(rows, columns=COLUMNS))
    look = {"note": NOTE, "width": width, "out_stem": tmp_path / "figure"}
    assert_legible(*texts_of(lambda: draw_cost(tmp_path / "cost.csv", **look)))
