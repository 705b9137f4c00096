"""The intervention plot shows every cell that both bases have, its interval, and the slope in words."""

import numpy as np
import pandas as pd
import pytest

from babelgrid.errors import UserError
from babelgrid.figures.intervention import draw_intervention
from babelgrid.runtime.files import write_csv
from synthetic import LANGUAGES

LOOK = {"metric": "macro_f1", "against": "lab", "note": "A constructed world."}


@pytest.fixture
def tables(tmp_path):
    """Two mixtures in 13 languages, where ten times the exposure is worth 0.1; one language's exposure is unknown."""
    ratio = dict(zip(LANGUAGES, np.linspace(-1, 1, len(LANGUAGES)), strict=True)) | {LANGUAGES[0]: np.nan}
    rows = [
        {
            "view": "topic",
            "mixture": mixture,
            "test_language": language,
            "log10_ratio": value,
            "difference": 0.1 * value,
            "low": 0.1 * value - 0.05,
            "high": 0.1 * value + 0.05,
        }
        for mixture in ("en", "all")
        for language, value in ratio.items()
    ]
    write_csv(tmp_path / "cells.csv", pd.DataFrame(rows))
    slope = {"view": "topic", "mixture": "en", "languages": 12, "slope": 0.1, "low": 0.06, "high": 0.14}
    write_csv(tmp_path / "slopes.csv", pd.DataFrame([slope]))
    return tmp_path / "cells.csv", tmp_path / "slopes.csv"


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_the_slope_stands_with_its_interval_and_the_number_of_languages(tables, tmp_path, width):
    draw_intervention(*tables, view="topic", width=width, out_stem=tmp_path / "drawn", **LOOK)
    words = (tmp_path / "drawn.svg").read_text(encoding="utf-8")
    assert "+.10 [+.06, +.14], n = 12" in words
    assert "too few languages" in words
    drawn = pd.read_csv(tmp_path / "drawn.csv", keep_default_na=False, na_values=[""])
    assert len(drawn) == 2 * (len(LANGUAGES) - 1)


def test_a_view_without_cells_is_one_clear_error(tables, tmp_path):
    with pytest.raises(UserError, match="'stance' was scored on both bases"):
        draw_intervention(*tables, view="stance", width=7.0, out_stem=tmp_path / "drawn", **LOOK)
