"""Test the report page in headless Chromium."""

import pandas as pd
import pytest

from babelgrid.analysis.scores.matrix import average_over_seeds
from babelgrid.analysis.tables import read_table
from babelgrid.config.report import Report
from babelgrid.figures.style import decimal
from babelgrid.runtime.files import write_csv
from synthetic import FOUR, LANGUAGES, MANY

pytestmark = pytest.mark.slow


@pytest.fixture
def page(open_page, report):
    return open_page(report)


@pytest.fixture(scope="session")
def means(report):
    cells = read_table(report.parent / "tables" / "cells.csv")
    return {
        metric: average_over_seeds(cells, metric).set_index(["view", "mixture", "test_language"])["score"]
        for metric in ("macro_f1", "accuracy")
    }


def _cell(page, mixture, language):
    heading = page.locator("#matrix-table tbody th[scope=row]").get_by_text(mixture, exact=True)
    return heading.locator(f'xpath=../td[@data-language="{LANGUAGES.index(language)}"]')


def _column(page, language):
    texts = page.locator(f'td[data-language="{LANGUAGES.index(language)}"]').all_inner_texts()
    return [float(text.replace("\N{MINUS SIGN}", "-")) for text in texts]


def test_page_loads_nothing_and_logs_no_errors(open_page, report):
    page = open_page(report)
    for value in ("stance", "accuracy", "gap", "gain", "family", "cluster", "name"):
        page.check(f'input[value="{value}"]')
    assert page.heard == [report.as_uri()]
    assert page.locator("#exposure-chart svg").count() == 1
    assert page.locator("#doses-chart svg").count() == 1


def test_matrix_shows_every_cell_for_the_chosen_view_and_metric(page, means):
    assert page.locator("td[data-mixture]").count() == len(MANY) * len(LANGUAGES)
    assert _cell(page, "en+es", "hu").inner_text() == decimal(means["macro_f1"]["topic", "en+es", "hu"])
    page.check('input[value="stance"]')
    assert _cell(page, "en+es", "hu").inner_text() == decimal(means["macro_f1"]["stance", "en+es", "hu"])
    page.check('input[value="accuracy"]')
    assert _cell(page, "en+es", "hu").inner_text() == decimal(means["accuracy"]["stance", "en+es", "hu"])
    assert "stance: Accuracy, score" in page.inner_text("#matrix-state")
    assert page.is_visible('#answer [data-view="stance"]')
    assert page.is_hidden('#answer [data-view="topic"]')


# Middles between two numbers of two digits, and numbers beside them.
NEAR_MIDDLES = [0.125, 0.375, 0.625, 0.875, 0.855, 0.8549, 0.8551, 0.845, 0.505, 0.995, 0.0049, 0.99996, 1.0]


def test_cells_have_the_digits_of_figures_and_printed_tables(open_page, make_report, tmp_path):
    make_report(tmp_path, ["en", "all"], seeds=1)
    cells = pd.read_csv(tmp_path / "tables/cells.csv", keep_default_na=False, na_values=[""])
    cells["macro_f1"] = cells["test_language"].map(dict(zip(LANGUAGES, NEAR_MIDDLES, strict=True)))
    write_csv(tmp_path / "changed.csv", cells)
    page = open_page(make_report(tmp_path, ["en", "all"], seeds=1, extra={"cells": tmp_path / "changed.csv"}))
    shown = [_cell(page, "en", language).inner_text() for language in LANGUAGES]
    assert shown == [decimal(value) for value in NEAR_MIDDLES]
    assert shown[:6] == [".12", ".38", ".62", ".88", ".86", ".85"]


@pytest.mark.parametrize(("show", "reference"), [("gap", "hu"), ("gain", "none")])
def test_gap_and_gain_are_differences_from_their_references(page, means, show, reference):
    page.check(f'input[value="{show}"]')
    scores = means["macro_f1"]["topic"]
    shown = float(_cell(page, "en+es", "hu").inner_text().replace("\N{MINUS SIGN}", "-"))
    assert shown == pytest.approx(scores["en+es", "hu"] - scores[reference, "hu"], abs=0.0061)
    assert _cell(page, reference, "hu").inner_text() == ".00"


@pytest.mark.grid
def test_choices_without_data_are_disabled(open_page, make_report, tmp_path):
    page = open_page(make_report(tmp_path, FOUR))
    assert page.is_disabled('input[value="gain"]')
    assert page.is_enabled('input[value="gap"]')


def test_tooltip_has_score_interval_baseline_and_posts(page, means):
    _cell(page, "en", "hu").hover()
    words = page.inner_text("#tip")
    assert words.startswith("en \N{RIGHTWARDS ARROW} Hungarian (hu)")
    assert f"{means['macro_f1']['topic', 'en', 'hu']:.3f}".removeprefix("0") + " [" in words
    assert "better baseline .5" in words
    assert "200 posts, 2 seed(s)" in words
    page.hover("h1")
    assert page.is_hidden("#tip")


def test_languages_are_sorted_by_exposure_family_or_cluster(page):
    def order():
        return [head.get_attribute("data-language") for head in page.locator("thead th[data-language]").all()]

    assert order()[:4] == ["en", "de", "fr", "es"]
    page.check('input[value="family"]')
    romance = [order().index(code) for code in ("es", "fr", "it", "pt")]
    assert max(romance) - min(romance) == 3
    page.check('input[value="cluster"]')
    assert sorted(order()) == sorted(LANGUAGES)
    assert page.locator("th[scope=rowgroup]").count() == 0


def test_heading_sorts_the_rows_in_both_directions(page):
    heading = page.locator('thead th[data-language="hu"] button')
    heading.click()
    assert _column(page, "hu") == sorted(_column(page, "hu"), reverse=True)
    assert page.locator('thead th[aria-sort="descending"]').get_attribute("data-language") == "hu"
    heading.press("Enter")
    assert _column(page, "hu") == sorted(_column(page, "hu"))
    page.locator("thead th button").first.click()
    assert page.locator("[aria-sort]").count() == 0


def test_cells_can_be_used_with_the_keyboard_alone(page):
    page.locator('td[tabindex="0"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.locator('td[tabindex="0"]').count() == 1
    moved = page.evaluate("document.activeElement.dataset")
    assert page.is_visible("#tip")
    page.keyboard.press("Enter")
    assert page.locator("dialog[open] h2").inner_text().endswith(", topic")
    assert "Macro-F1" in page.inner_text("#cell-content")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert page.evaluate("document.activeElement.dataset") == moved


def test_cell_dialog_has_confusion_matrix_and_example_ids(page):
    page.check('input[value="stance"]')
    _cell(page, "en+es", "hu").click()
    table = page.locator("#cell table.confusion")
    assert table.locator("thead th").all_inner_texts() == ["gold", "pro", "anti", "neutral"]
    assert table.locator("tbody tr").first.locator("td").all_inner_texts() == ["60 (67%)", "15 (17%)", "15 (17%)"]
    words = page.inner_text("#cell .examples")
    assert "pro predicted as anti" in words
    assert "hu-00000000000" in words


def test_frames_and_corners_are_labelled_for_screen_readers(page):
    assert "in the mixture" in _cell(page, "hu", "hu").get_attribute("aria-label")
    page.check('input[value="stance"]')
    assert "no better than a baseline" in _cell(page, "en", "ko").get_attribute("aria-label")
    unnamed = page.evaluate(
        "[...document.querySelectorAll('table, section, select, input')]"
        ".filter(one => !(one.caption || one.labels?.length || one.getAttribute('aria-labelledby'))).length"
    )
    assert unnamed == 0


def test_print_shows_all_rows_and_no_controls(page):
    page.emulate_media(media="print")
    assert page.is_hidden("#controls")
    box = page.locator("#matrix-scroll")
    assert box.evaluate("one => one.scrollHeight <= one.clientHeight + 1")
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


ATTACK = '<img src=x onerror="window.attacked=1"></script><script>window.attacked=1</script>'


def _posts(folder, language, text):
    """Write a posts file in which every post has the same text."""
    path = folder / f"{language}.parquet"
    pd.DataFrame({"id": [f"{language}-{number:016x}" for number in range(300)], "text": text}).to_parquet(path)
    return {language: path}


def test_post_texts_are_shown_only_if_configured(open_page, make_report, tmp_path):
    posts = _posts(tmp_path, "hu", "an example text")
    for asked in (False, True):
        page = open_page(make_report(tmp_path, FOUR, posts=posts, settings=Report(show_texts=asked)))
        _cell(page, "en", "hu").click()
        assert ("an example text" in page.inner_text("#cell")) == asked


def test_markup_in_the_data_is_shown_as_text(open_page, make_report, tmp_path):
    views = {f"view{ATTACK}": {f"yes{ATTACK}": ["pro"], "no": ["anti"]}}
    claims = tmp_path / "claims.csv"
    write_csv(claims, pd.DataFrame({"claim": [ATTACK], "effect": [0.1], "verdict": ["undecided"]}))
    mixtures = ["en", f"set{ATTACK}"]
    path = make_report(
        tmp_path,
        mixtures,
        views=views,
        extra={"claims": claims},
        experiment=ATTACK,
        note=ATTACK,
        posts=_posts(tmp_path, "ko", ATTACK),
        settings=Report(show_texts=True),
    )
    page = open_page(path)
    assert page.evaluate("window.attacked") is None
    assert page.heard == [path.as_uri()]
    assert page.inner_text("h1") == ATTACK
    assert ATTACK in page.inner_text("#claims")
    assert ATTACK in page.inner_text("#matrix-table")
    _cell(page, mixtures[1], "ko").click()
    assert page.inner_text("#cell h2").startswith(mixtures[1])
    assert f"yes{ATTACK}" in page.inner_text("#cell .confusion")
    assert page.locator("#cell q").first.inner_text() == ATTACK
    assert page.evaluate("window.attacked") is None
