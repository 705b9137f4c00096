"""Test that the intervention plot shows the cells of both bases, and the slope with its interval as text."""

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
    """Return tables of two mixtures in 13 languages: tenfold exposure adds 0.1, and one exposure is unknown."""
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


@pytest.mark.slow
@pytest.mark.parametrize("width", [3.4, 7.0])
def test_title_has_slope_interval_and_language_count(tables, tmp_path, width):
    draw_intervention(*tables, view="topic", width=width, out_stem=tmp_path / "drawn", **LOOK)
    words = (tmp_path / "drawn.svg").read_text(encoding="utf-8")
    assert "+.10 [+.06, +.14], n = 12" in words
    assert "too few languages" in words
    drawn = pd.read_csv(tmp_path / "drawn.csv", keep_default_na=False, na_values=[""])
    assert len(drawn) == 2 * (len(LANGUAGES) - 1)


def test_view_without_cells_is_a_user_error(tables, tmp_path):
    with pytest.raises(UserError, match="'stance' was scored on both bases"):
        draw_intervention(*tables, view="stance", width=7.0, out_stem=tmp_path / "drawn", **LOOK)
