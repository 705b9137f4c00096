"""Order and name languages and mixtures for figures."""

from collections.abc import Sequence

import langcodes
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage


def language_name(code: str) -> str:
    """Return the English name of a language code, e.g. `Hungarian`."""
    return langcodes.Language.get(code).display_name("en")


def order_languages(languages: Sequence[str], exposure: pd.Series) -> tuple[list[str], list[str]]:
    """Return the languages with known exposure, highest first, and those with unknown exposure in the given order."""
    known = [language for language in languages if pd.notna(exposure.get(language))]
    unknown = [language for language in languages if language not in known]
    return sorted(known, key=lambda language: -float(exposure[language])), unknown


def group_mixtures(mixtures: Sequence[str], seen: set[tuple[str, str]]) -> dict[str, list[str]]:
    """Group mixtures by kind, each group in the given order; empty groups are left out.

    seen: (mixture, language) pairs where the mixture contains the language.
    """
    groups: dict[str, list[str]] = {
        "Untuned": [],
        "By API": [],
        "One language": [],
        "Two languages": [],
        "Sets of languages": [],
        "All, and all but one": [],
        "With a dose (@posts)": [],
    }
    for mixture in mixtures:
        groups[_kind(mixture, {language for name, language in seen if name == mixture})].append(mixture)
    return {title: members for title, members in groups.items() if members}


def cluster(matrix: pd.DataFrame) -> list[int]:
    """Order similar rows together, by average linkage with optimal leaf ordering (Bar-Joseph et al. 2001).

    Distances are Euclidean; a missing value is replaced by its column's mean. Returns positions.
    """
    filled = matrix.fillna(matrix.mean()).fillna(0.0).to_numpy()
    if len(filled) < 3:
        return list(range(len(filled)))
    return [int(leaf) for leaf in leaves_list(linkage(filled, "average", optimal_ordering=len(filled) <= 500))]


def _kind(mixture: str, languages: set[str]) -> str:
    if not languages:
        return "By API" if mixture.startswith("api-") else "Untuned"
    if "@" in mixture:
        return "With a dose (@posts)"
    if mixture == "all" or mixture.startswith("all-"):
        return "All, and all but one"
    if mixture in languages:
        return "One language"
    return "Two languages" if len(languages) == 2 and "+" in mixture else "Sets of languages"
