"""Test the cost figure and the report's tables of speed and price."""

import re

import pandas as pd
import pytest

from babelgrid.cost.tables import COLUMNS
from babelgrid.figures.cost import draw_cost
from babelgrid.report.sections import ledger
from babelgrid.runtime.files import write_csv

OWN = {"how": "own", "device": "CPU", "posts_per_second": 500.0, "rented": 3.0}
API = {"model": "api-0shot", "how": "api", "posts_per_second": 4.0, "charged": 160.0}
LISTED = {"model": "gpt-4o", "how": "list price", "charged": 156.0, "assumptions": "estimated, not measured"}


def table(*rows):
    return pd.DataFrame([*rows], columns=COLUMNS)


@pytest.fixture
def words_of(tmp_path):
    """Return a function that draws rows and returns the texts of the figure."""

    def draw(*rows):
        write_csv(tmp_path / "cost.csv", table(*rows))
        draw_cost(tmp_path / "cost.csv", note="", width=7.0, out_stem=tmp_path / "cost")
        return re.findall(r"<text[^>]*>([^<]*)<", (tmp_path / "cost.svg").read_text(encoding="utf-8"))

    return draw


@pytest.mark.slow
def test_list_and_charged_prices_have_separate_keys(words_of):
    words = words_of({"model": "en", **OWN}, API, LISTED)
    assert {"rented", "charged by the API", "by list price"} <= set(words)
    assert "charged by the API" not in words_of({"model": "en", **OWN}, LISTED)


@pytest.mark.slow
def test_axis_starts_at_zero_unless_speeds_differ_widely(words_of):
    assert "0" in words_of({"model": "en", **OWN}, {"model": "hu", **OWN, "posts_per_second": 450.0})
    assert "0" not in words_of({"model": "en", **OWN}, API, {**API, "charged": 1.0})


@pytest.mark.slow
def test_costs_without_any_price_are_drawn(words_of):
    assert "no price is set" in words_of({"model": "en", **OWN, "rented": None})


def test_ledger_drops_empty_columns_and_lists_assumptions():
    speeds, assumed = ledger(table({"model": "en", **OWN}, LISTED))
    assert speeds.head == ["model", "how", "device", "posts/s", "rented", "charged, or by list price"]
    assert assumed.rows == [["gpt-4o", "estimated, not measured"]]
    [alone] = ledger(table({"model": "en", **OWN}))
    assert "assumptions" not in alone.head


def test_models_with_the_same_assumptions_share_a_row():
    rented = {**OWN, "assumptions": "rented at 2 dollars an hour"}
    _, assumed = ledger(table({"model": "en", **rented}, LISTED, {"model": "hu", **rented}))
    assert assumed.rows == [["en, hu", "rented at 2 dollars an hour"], ["gpt-4o", "estimated, not measured"]]
