"""When two spellings are one, in data and in configs."""

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
def test_spellings_that_look_alike_are_one(one, other):
    assert fold(one) == fold(other)


@given(st.text(max_size=20))
def test_case_form_and_white_space_never_tell_words_apart(word):
    for other in (word.upper(), word.lower(), unicodedata.normalize("NFD", word), f"\u2003{word}\u200b", fold(word)):
        assert fold(other) == fold(word)


@given(st.text(st.characters(min_codepoint=0x30, max_codepoint=0x7A), max_size=8), st.text(max_size=8))
def test_a_word_is_not_another(one, other):
    if one.casefold() != fold(other):
        assert fold(one) != fold(other)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_labels_parts_and_languages_of_the_data_are_known_in_any_spelling(one, other):
    meanings = Meanings({"a": Label(answer=" a", aliases=[one])}, {one: "tr"}, {"train": [one]})
    assert meanings.label(other) == "a"
    assert meanings.part(other) == "train"
    assert meanings.language(other) == "tr"


@pytest.mark.parametrize("code", ["PT-br", " pt-BR\u200b", "\uff50\uff54-BR"])
def test_a_language_code_is_known_in_any_spelling(code):
    assert Meanings({}, {}, None).language(code) == "pt-BR"


def test_a_word_that_is_no_language_has_no_code():
    assert Meanings({}, {}, None).language("klingonese") is None


def test_columns_are_known_in_any_spelling_unless_the_wanted_one_is_there():
    assert respelled(["Text\u200b", "LABEL", "x"], ["text", "label"]) == ["text", "label", "x"]
    assert respelled(["Text", "text"], ["text"]) == ["Text", "text"]
