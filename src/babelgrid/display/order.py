"""Order and name languages and mixtures for figures."""

from collections.abc import Sequence

import langcodes
import pandas as pd

from babelgrid.mixture import is_merged, is_rival, split_row

_RIVALS = {
    "embedding": "Embedding and regression",
    "encoder": "Fine-tuned encoder",
    "translate_test": "Test posts translated",
    "translate_train": "All posts translated",
}
"""Rival -> title of its group of rows."""


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
        "Merged, without training": [],
        **{title: [] for title in _RIVALS.values()},
    }
    for mixture in mixtures:
        groups[_kind(mixture, {language for name, language in seen if name == mixture})].append(mixture)
    return {title: members for title, members in groups.items() if members}


def order_clusters(clusters: pd.DataFrame, view: str, axis: str, names: Sequence[str]) -> list[str]:
    """Return names in the order of clusters.csv, where similar ones are adjacent; names that it lacks come last.

    axis: `mixture` or `test_language`. The table lacks a language in which some mixture has no score.
    """
    own = clusters[(clusters["view"] == view) & (clusters["axis"] == axis)].sort_values("position")["name"]
    return list(dict.fromkeys([*own[own.isin(names)], *names]))


def _kind(mixture: str, languages: set[str]) -> str:
    if is_rival(mixture):
        return _RIVALS[split_row(mixture)[0]]
    if is_merged(mixture):
        return "Merged, without training"
    if not languages:
        return "By API" if mixture.startswith("api-") else "Untuned"
    return _kind_of_trained(mixture, languages)


def _kind_of_trained(mixture: str, languages: set[str]) -> str:
    if "@" in mixture:
        return "With a dose (@posts)"
    if mixture == "all" or mixture.startswith("all-"):
        return "All, and all but one"
    if mixture in languages:
        return "One language"
    return "Two languages" if len(languages) == 2 and "+" in mixture else "Sets of languages"
