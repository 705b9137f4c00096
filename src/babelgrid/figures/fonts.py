"""Choose installed fonts for the scripts in a figure's text, and name the packages that provide missing ones."""

import logging
from collections import defaultdict
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from unicodedata import category

from fontTools import unicodedata as scripts
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

FIRST = "DejaVu Sans"
"""Ships with matplotlib, so text in its scripts looks the same on every machine."""
_EMOJI = "emoji"
_SYMBOLS = "symbols"
_PACKAGES = {
    **dict.fromkeys(("Han", "Hiragana", "Katakana", "Hangul", "Bopomofo"), "fonts-noto-cjk"),
    _EMOJI: "fonts-symbola",
    _SYMBOLS: "fonts-symbola",
}
_OTHER_PACKAGE = "fonts-noto-core"
_CJK = "Noto Sans CJK"


def printable(text: str) -> str:
    r"""Return text with an escape such as `\x07` for each character without a glyph: control characters, surrogates.

    SVG must not contain these characters. Every line ending becomes `\n`.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return "".join(ascii(letter)[1:-1] if _is_unprintable(letter) else letter for letter in text)


def families_for(words: Iterable[str]) -> list[str]:
    """Return font families that together cover these words, DejaVu Sans first.

    For each script that DejaVu Sans lacks, choose the installed family that has most of the letters. Ties go to Noto
    Sans families, then to other Noto families, then to the rest in alphabetical order.
    """
    families = [FIRST]
    for letters in _by_script(_lacking(words, [FIRST])).values():
        rest = {letter for letter in letters if not any(_has(family, letter) for family in families)}
        if rest:
            families += _best(rest)
    return families


def missing(words: Iterable[str]) -> dict[str, str]:
    """Return script -> Debian package with a font, for each script with letters that no installed font has."""
    drawn = list(words)
    lacking = _lacking(drawn, families_for(drawn))
    return {script: _PACKAGES.get(script, _OTHER_PACKAGE) for script in _by_script(lacking)}


def warn_of_missing(words: Iterable[str]) -> None:
    """Log one warning per script in `words` with letters that no installed font has."""
    for script, package in missing(words).items():
        logging.warning("%s", describe_missing(script, package))


def describe_missing(script: str, package: str) -> str:
    """Return a message with the letters that are drawn as boxes and the package to install."""
    what = script if script in (_EMOJI, _SYMBOLS) else f"letters of the script {script}"
    return f"no installed font has some {what}; figures show boxes instead. To fix it: apt-get install {package}"


def _is_unprintable(letter: str) -> bool:
    code = ord(letter)
    return (category(letter) in ("Cc", "Cs") and letter != "\n") or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def _lacking(words: Iterable[str], families: list[str]) -> set[str]:
    """Return the letters that are in none of these families, ignoring characters that are not drawn."""
    letters = {letter for word in words for letter in word if category(letter) not in ("Cc", "Cf", "Cs", "Zs")}
    letters = {letter for letter in letters if not 0xFE00 <= ord(letter) <= 0xFE0F}
    return {letter for letter in letters if not any(_has(family, letter) for family in families)}


def _by_script(letters: set[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for letter in sorted(letters):
        found[_script_of(letter)].add(letter)
    return found


def _script_of(letter: str) -> str:
    """Return the English name of a letter's script, or `emoji` or `symbols` for characters without a script."""
    code = scripts.script(letter)
    if code not in ("Zyyy", "Zinh", "Zzzz"):
        return str(scripts.script_name(code))
    return _EMOJI if 0x1F000 <= ord(letter) <= 0x1FAFF else _SYMBOLS


def _best(letters: set[str]) -> list[str]:
    """Return installed families that cover as many of these letters as possible, chosen greedily."""
    chosen: list[str] = []
    script = _script_of(min(letters))
    candidates = sorted(_installed(), key=lambda family: (_rank(family, script), family))
    # Try the families made for this script first: opening hundreds of other fonts is slow.
    for pool in ([family for family in candidates if _rank(family, script) == 0], candidates):
        while letters and pool:
            best = max(pool, key=lambda family: sum(_has(family, letter) for letter in letters))
            covered = {letter for letter in letters if _has(best, letter)}
            if not covered:
                break
            chosen.append(best)
            letters = letters - covered
    return chosen


def _rank(family: str, script: str) -> int:
    is_own = family == f"Noto Sans {script}" or (family == f"{_CJK} JP" and _PACKAGES.get(script) == "fonts-noto-cjk")
    if is_own:
        return 0
    return 1 if family.startswith("Noto Sans") else 2 if family.startswith("Noto") else 3


@lru_cache(maxsize=1)
def _installed() -> dict[str, font_manager.FontEntry]:
    """Return family -> the font file that is read for its letters: the upright one of normal weight.

    matplotlib caches its list of fonts between runs, so fonts installed since then are added.
    """
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        try:
            font_manager.fontManager.addfont(path)
        except Exception:  # FreeType cannot scale some fonts, for example coloured bitmaps.
            logging.debug("font %s cannot be used", path)
    entries: dict[str, font_manager.FontEntry] = {}
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda one: (_plainness(one), one.fname)):
        if Path(entry.fname).exists() and entry.name != "Last Resort High-Efficiency":
            entries.setdefault(entry.name, entry)
    return entries


def _plainness(entry: font_manager.FontEntry) -> tuple[bool, int]:
    weight = entry.weight if isinstance(entry.weight, int) else font_manager.weight_dict.get(entry.weight, 400)
    return entry.style != "normal", abs(weight - 400)


@cache
def _letters_of(family: str) -> frozenset[int]:
    entry = _installed().get(family)
    if entry is None:
        return frozenset()
    return frozenset(FT2Font(entry.fname, face_index=entry.index).get_charmap())


def _has(family: str, letter: str) -> bool:
    return ord(letter) in _letters_of(family)
