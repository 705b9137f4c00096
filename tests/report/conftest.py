"""Fixtures that write reports and open them in a browser, if one is installed."""

import shutil

import pytest

from babelgrid.config.report import Report
from babelgrid.report.page import write_report
from synthetic import LANGUAGES, MANY, VIEWS, write_tables

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def make_report():
    """Return a function that writes a report from synthetic tables."""

    def make(folder, mixtures=MANY, *, views=VIEWS, seeds=2, extra=None, **changes):
        tables = write_tables(folder, mixtures, views=views, seeds=seeds) | (extra or {})
        settings = {
            "posts": {},
            "posts_report": folder / "posts" / "report.json",
            "base": folder / "base.json",
            "benchmarks": folder / "benchmarks",
            "experiment": "synthetic",
            "config": {"experiment": "synthetic"},
            "views": views,
            "metric": "macro_f1",
            "share_table": "llama2",
            "settings": Report(),
            "note": "A constructed world.",
            "seed": 1,
            "out": folder / "report.html",
        }
        write_report(tables, **settings | changes)
        return folder / "report.html"

    return make


@pytest.fixture(scope="session")
def report(make_report, tmp_path_factory):
    """Write the report of 92 mixtures and 13 languages, and return its path."""
    return make_report(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def large_report(make_report, tmp_path_factory):
    """Write a report of 12,000 cells, and return its path."""
    doses = [f"en+{language}@{dose}" for language in LANGUAGES[1:] for dose in range(1, 76)]
    mixtures = [*LANGUAGES, "none", *doses, *(f"es+{code}" for code in LANGUAGES[2:])]
    return make_report(tmp_path_factory.mktemp("large"), mixtures, seeds=1)


@pytest.fixture(scope="session")
def browser():
    """Start a headless browser; skip the test if none is installed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"needs one of {', '.join(BROWSERS)} on the path: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Return a function that opens a report; its console messages, errors and requests are in `heard`."""
    pages = []

    def open_page(path):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        pages.append(page)
        page.heard = []
        page.on("console", lambda message: page.heard.append(message.text))
        page.on("pageerror", lambda error: page.heard.append(str(error)))
        page.on("request", lambda request: page.heard.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for page in pages:
        page.close()
