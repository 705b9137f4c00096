"""Test which spellings are treated as the same word, in data and in configs."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelgrid.config.prompt import Label
from babelgrid.posts.normalize import Meanings
from babelgrid.spelling import fold, respelled

SAME = [
    ("Pro", " pro\u00a0"),
    ("against", "\uff21gainst"),
    ("\u00e9loge", "E\u0301LOGE"),
    ("KAR\u015eI", "kar\u015f\u0131"),
    ("\u0130LG\u0130L\u0130", "ilgili"),
    ("\u0130lgili", "i\u0307lgili"),
    ("stra\u00dfe", "STRASSE"),
    ("in favour", "In\u2003\u200bfavour\u3000"),
    ("pro", "\ufeffp\u00adro\u200f\ufe0f\x00"),
    ("\ud504\ub85c", unicodedata.normalize("NFD", "\ud504\ub85c")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equivalent_spellings_fold_to_same_word(one, other):
    assert fold(one) == fold(other)


@given(st.text(max_size=20))
def test_fold_ignores_case_form_and_white_space(word):
    for other in (word.upper(), word.lower(), unicodedata.normalize("NFD", word), f"\u2003{word}\u200b", fold(word)):
        assert fold(other) == fold(word)


@given(st.text(st.characters(min_codepoint=0x30, max_codepoint=0x7A), max_size=8), st.text(max_size=8))
def test_different_words_fold_differently(one, other):
    if one.casefold() != fold(other):
        assert fold(one) != fold(other)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_labels_parts_and_languages_match_any_spelling(one, other):
    meanings = Meanings({"a": Label(answer=" a", aliases=[one])}, {one: "tr"}, {"train": [one]})
    assert meanings.label(other) == "a"
    assert meanings.part(other) == "train"
    assert meanings.language(other) == "tr"


@pytest.mark.parametrize("code", ["PT-br", " pt-BR\u200b", "\uff50\uff54-BR"])
def test_language_code_matches_any_spelling(code):
    assert Meanings({}, {}, None).language(code) == "pt-BR"


def test_unknown_language_has_no_code():
    assert Meanings({}, {}, None).language("klingonese") is None


def test_columns_match_any_spelling_unless_exact_exists():
    assert respelled(["Text\u200b", "LABEL", "x"], ["text", "label"]) == ["text", "label", "x"]
    assert respelled(["Text", "text"], ["text"]) == ["Text", "text"]
