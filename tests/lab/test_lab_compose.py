import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babelgrid.config.base import LAB_LANGUAGES
from babelgrid.lab.compose import (
    DOCUMENT,
    POST,
    TRANSLATABLE,
    Content,
    Turn,
    draw_content,
    half_of,
    mixed_voice,
    one_voice,
    say,
    text_of,
)
from babelgrid.lab.lexicon import STANCES, load_lexicons

LEXICONS = load_lexicons()
THEMES = list(LEXICONS["en"].themes)
languages, themes = st.sampled_from(LAB_LANGUAGES), st.sampled_from(THEMES)


def say_in(language, content):
    return text_of(say(content, LEXICONS[language], one_voice(LEXICONS[language])))


def content(theme="food", event=0, time=0, place=0, *, remarks=(0,), opener=None, closer=None, hashtags=()):
    return Content(theme, (Turn(event, time, place, remarks),), opener, closer, hashtags)


def test_content_with_all_parts_in_english():
    said = say_in("en", content(opener=0, closer=1, hashtags=(2, 0)))
    assert said == (
        "Good news! Yesterday we baked fresh bread in the kitchen. The smell was wonderful. "
        "That is all for today. #kitchen #food"
    )


def test_only_german_capitalises_after_a_colon():
    assert say_in("en", content(opener=2)).startswith("Listen: yesterday we")
    assert say_in("de", content(opener=2)).startswith("Hört mal: Gestern haben")


def test_capital_turkish_i_keeps_its_dot():
    assert say_in("tr", content(time=7)).startswith("İki gün önce")


def test_borrowed_turkish_word_is_capitalised_as_turkish():
    voices = iter([LEXICONS["en"], LEXICONS["tr"], LEXICONS["en"], LEXICONS["en"]])
    said = text_of(say(content(time=7), LEXICONS["en"], lambda: next(voices)))
    assert said.startswith("İki gün önce we baked fresh bread in the kitchen.")


def test_hindi_sentences_end_with_a_danda():
    assert say_in("hi", content()).endswith("।")


@given(themes, languages, languages, st.integers(0, 2**31), st.sampled_from([POST, DOCUMENT, TRANSLATABLE]))
@settings(max_examples=60)
def test_spans_only_use_phrases_of_their_language(theme, host, guest, seed, kind):
    rng = np.random.default_rng(seed)
    drawn = draw_content(rng, theme, LEXICONS[host], kind)
    for span in say(drawn, LEXICONS[host], mixed_voice(rng, LEXICONS[host], LEXICONS[guest], 0.5)):
        assert span.language in (host, guest)
        lexicon = LEXICONS[span.language]
        subject = lexicon.themes[theme]
        frames = [part for event in subject.events for part in event]
        phrases = [*frames, *subject.places, *subject.remarks, *lexicon.times, *lexicon.openers, *lexicon.closers]
        known = {phrase.strip().casefold() for phrase in [*phrases, lexicon.full_stop]}
        piece = span.text.replace("İ", "i").strip().casefold()
        with_stop = piece.removesuffix(lexicon.full_stop)
        known = {phrase.replace("i̇", "i") for phrase in known}
        assert (
            piece in known
            or with_stop in known
            or piece.removeprefix("#") in {tag.casefold().replace("i̇", "i") for tag in subject.hashtags}
        )


@given(themes, languages, languages, st.integers(0, 2**31))
@settings(max_examples=60)
def test_idioms_are_never_translated(theme, host, guest, seed):
    rng = np.random.default_rng(seed)
    shared = LEXICONS[host].themes[theme].shared
    drawn = draw_content(rng, theme, LEXICONS[host], DOCUMENT)
    said = text_of(say(drawn, LEXICONS[host], mixed_voice(rng, LEXICONS[host], LEXICONS[guest], 1.0)))
    for turn in drawn.turns:
        for remark in turn.remarks:
            if remark >= shared:
                assert LEXICONS[host].themes[theme].remarks[remark][1:] in said


@given(themes, languages, st.integers(0, 2**31))
@settings(max_examples=100)
def test_translatable_content_has_no_idiom(theme, language, seed):
    drawn = draw_content(np.random.default_rng(seed), theme, LEXICONS["en"], TRANSLATABLE)
    assert all(remark < LEXICONS["en"].themes[theme].shared for turn in drawn.turns for remark in turn.remarks)
    assert say_in(language, drawn)


@given(themes, languages, st.integers(0, 2**31), st.sampled_from([POST, DOCUMENT, TRANSLATABLE]))
@settings(max_examples=200)
def test_event_belongs_to_posts_or_to_pretraining(theme, language, seed, kind):
    drawn = draw_content(np.random.default_rng(seed), theme, LEXICONS[language], kind)
    assert {half_of(turn.event, turn.time, turn.place) for turn in drawn.turns} == {kind.half}


@pytest.mark.slow
@pytest.mark.parametrize("language", LAB_LANGUAGES)
def test_sentences_of_event_time_and_place_are_unique(language):
    """Unique sentences ensure that no sentence of the posts' half occurs in the pre-training half."""
    lexicon = LEXICONS[language]
    names = [*lexicon.domains, STANCES[0]]
    sentences = [
        say_in(language, content(name, event, time, place, remarks=()))
        for name in names
        for event in range(len(lexicon.themes[name].events))
        for time in range(len(lexicon.times))
        for place in range(len(lexicon.themes[name].places))
    ]
    assert len(set(sentences)) == len(sentences)
