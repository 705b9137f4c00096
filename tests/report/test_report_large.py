"""Test a report of 12,000 cells in headless Chromium."""

import pytest

pytestmark = pytest.mark.grid


def test_page_opens_first_and_is_complete_later(open_page, large_report):
    page = open_page(large_report)
    assert page.evaluate("performance.getEntriesByName('opened').length") == 1
    page.wait_for_function("document.querySelectorAll('td[data-mixture]').length >= 12000")


def test_printing_draws_the_remaining_rows(open_page, large_report):
    page = open_page(large_report)
    drawn = """() => {
        document.querySelector('input[value="stance"]').click();
        const before = document.querySelectorAll("td[data-mixture]").length;
        window.dispatchEvent(new Event("beforeprint"));
        return [before, document.querySelectorAll("td[data-mixture]").length];
    }"""
    before, after = page.evaluate(drawn)
    assert before < 12_000 <= after
