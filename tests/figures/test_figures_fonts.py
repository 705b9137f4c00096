"""Test the choice of fonts by script, the warnings about missing fonts, and labels with unusual characters."""

import logging
from xml.etree import ElementTree

import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from babelgrid.figures import fonts
from babelgrid.figures.confusion import draw_confusion
from babelgrid.operations.doctor import check_fonts

LETTERS = "\N{GOTHIC LETTER AHSA}\N{GOTHIC LETTER BAIRKAN}"


def _box():
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((500, 0))
    pen.lineTo((500, 500))
    pen.closePath()
    return pen.glyph()


def _font(path, family, letters):
    names = [".notdef", *(f"u{ord(letter):X}" for letter in letters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): name for letter, name in zip(letters, names[1:], strict=True)})
    builder.setupGlyf({name: _box() for name in names})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Return a function that replaces all fonts except matplotlib's own with the given ones: family -> letters."""

    def replace(**families):
        monkeypatch.setattr(font_manager, "fontManager", font_manager.FontManager())
        own = [entry for entry in font_manager.fontManager.ttflist if "mpl-data" in entry.fname]
        font_manager.fontManager.ttflist = own
        paths = [_font(tmp_path / f"{name}.ttf", name.replace("_", " "), held) for name, held in families.items()]
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths)
        fonts._installed.cache_clear()
        fonts._letters_of.cache_clear()

    yield replace
    fonts._installed.cache_clear()
    fonts._letters_of.cache_clear()


def test_noto_is_preferred_to_other_families_of_a_script(install):
    install(Alpha=LETTERS, Noto_Sans_Gothic=LETTERS)
    assert fonts.families_for([f"word {LETTERS}"]) == ["DejaVu Sans", "Noto Sans Gothic"]


def test_family_with_more_letters_is_chosen(install):
    install(Alpha=LETTERS[:1], Beta=LETTERS)
    assert fonts.families_for([LETTERS]) == ["DejaVu Sans", "Beta"]


def test_latin_script_needs_no_other_font(install):
    install(Noto_Sans_Gothic=LETTERS)
    assert fonts.families_for(["año $ 5 \N{EN DASH} \N{GREEK SMALL LETTER RHO}"]) == ["DejaVu Sans"]


def test_missing_fonts_log_one_line_per_script_with_package(install, caplog):
    install()
    with caplog.at_level(logging.WARNING):
        fonts.warn_of_missing(["支持反对中立", LETTERS, "뉴스", "\N{TEST TUBE}"])
    # matplotlib logs its own line if building its list of fonts takes long.
    lines = [record.message for record in caplog.records if record.name == "root"]
    assert len(lines) == 4
    assert any("script Han" in line and "apt-get install fonts-noto-cjk" in line for line in lines)
    assert any("script Gothic" in line and "fonts-noto-core" in line for line in lines)
    assert any("emoji" in line and "fonts-symbola" in line for line in lines)


def test_doctor_names_the_missing_font_package(install):
    install()
    assert check_fonts(["pro", "支持"]).problem
    assert "fonts-noto-cjk" in check_fonts(["pro", "支持"]).words
    assert not check_fonts(["pro", "contra"]).problem


LABELS = [
    "$",
    "$$",
    "$a_$",
    "\\",
    "{}",
    "100% & <b>",
    "_",
    "two\nlines",
    "\u202bمؤيد\u202c",
    "e\u0301",
    "\x07\x00",
    "x" * 150,
]


@pytest.mark.slow
def test_labels_are_drawn_literally(tmp_path):
    rows = [("v", "m", "en", gold, other, 1) for gold in LABELS for other in LABELS]
    table = pd.DataFrame(rows, columns=["view", "mixture", "test_language", "gold", "predicted", "n"])
    table.to_parquet(tmp_path / "confusions.parquet")
    stem = tmp_path / "drawn"
    draw_confusion(tmp_path / "confusions.parquet", view="v", mixture="m", note="", width=7.0, out_stem=stem)
    drawn = [element.text for element in ElementTree.parse(tmp_path / "drawn.svg").iter() if element.text]
    assert {"$", "$$", "$a_$", "\\", "{}", "100% & <b>", "_", "two", "lines", "e\u0301"} <= set(drawn)
    assert r"\x07\x00" in drawn
    assert sum(len(text) for text in drawn if set(text) == {"x"}) == 2 * 150
