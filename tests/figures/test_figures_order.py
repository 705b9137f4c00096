import numpy as np
import pandas as pd
import pytest

from babelgrid.display.order import group_mixtures, language_name, order_languages
from babelgrid.figures.style import decimal


def test_languages_have_english_names():
    assert [language_name(code) for code in ("hu", "pt-BR", "ko")] == ["Hungarian", "Portuguese (Brazil)", "Korean"]


def test_languages_of_unknown_exposure_come_last():
    exposure = pd.Series({"en": 89.7, "tr": np.nan, "hu": 0.03, "de": 0.17})
    assert order_languages(["tr", "hu", "de", "en", "xx"], exposure) == (["en", "de", "hu"], ["tr", "xx"])


def test_mixtures_are_grouped_by_kind_in_grid_order():
    held = {
        "none": [],
        "es": ["es"],
        "en": ["en"],
        "en+es": ["en", "es"],
        "iberia": ["es", "pt"],
        "all": ["en", "es", "pt"],
        "all-en": ["es", "pt"],
        "en+hu@25": ["en", "hu"],
        "en~es": ["en", "es"],
        "2es~en~2es": ["en", "es"],
        "0.75en~0.25en+hu@25": ["en", "hu"],
    }
    seen = {(mixture, language) for mixture, languages in held.items() for language in languages}
    assert list(group_mixtures(list(held), seen).values()) == [
        ["none"],
        ["es", "en"],
        ["en+es"],
        ["iberia"],
        ["all", "all-en"],
        ["en+hu@25"],
        ["en~es", "2es~en~2es", "0.75en~0.25en+hu@25"],
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(0.834, ".83"), (1.0, "1.00"), (0.999, "1.00"), (-0.05, "\N{MINUS SIGN}.05"), (-0.001, ".00")]
)
def test_scores_are_formatted_as_in_printed_tables(value, text):
    assert decimal(value) == text
