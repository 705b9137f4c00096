import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelgrid.posts.clean import clean, is_empty

WRITTEN = "@ @name @नाम http https:// www. t.co/ a.b &amp; &lt; lt; &#64; Ã© â€™ é 입 م ी . / … # 👩"
UNSEEN = [" ", "\uff20", "\u200d", "\x00", "\x85", "\x9d", "\u2028", "\ufeff", "\ud83d", "e\u0301"]
PIECES = st.sampled_from([*WRITTEN.split(" "), *UNSEEN])


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("RT @John_1: hi", "RT @user: hi"),
        (".@POTUS, hi", ".@user, hi"),
        ("@नाम नमस्ते @की", "@user नमस्ते @user"),
        ("@اسم مرحبا", "@user مرحبا"),
        ("@john님 https://t.co/abc입니다", "@user님 http입니다"),
        ("thanks@john", "thanks@user"),
        ("@a@mastodon.social hi", "@user hi"),
        ("@jane.bsky.social hi", "@user hi"),
        ("write to bob@example.com or की@example.com", "write to bob@example.com or की@example.com"),
        ("5 @ 3", "5 @ 3"),
        ("see (https://t.co/a_b?c=d&e=f).", "see (http)."),
        ("WWW.example.org/x, y", "http, y"),
        ("pic.twitter.com/abc not.co/x", "http not.co/x"),
        ("&amp;lt;3 &quot;x&quot; &#128512;", '<3 "x" 😀'),
        ("nÃ© e\u0301", "né é"),
        (" a\t\u00a0b\u2028c\r\n ", "a b c"),
        ("a\x00b\x07c\x9d", "abc"),
        ("x\ud83dy", "x\ufffdy"),
        ("#tag 👩\u200d👩\u200d👧 ✊🏽 क्\u200dष", "#tag 👩\u200d👩\u200d👧 ✊🏽 क्\u200dष"),
    ],
)
def test_a_text_becomes_what_the_model_should_meet(raw, cleaned):
    assert clean(raw) == cleaned


@given(st.text() | st.lists(PIECES).map("".join) | st.text(st.characters(categories=None), max_size=30))
def test_cleaning_a_clean_text_changes_nothing(text):
    once = clean(text)
    assert clean(once) == once


@given(st.lists(PIECES | st.text(max_size=3)).map("".join))
def test_a_clean_text_can_be_written_and_stands_on_one_line(text):
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert cleaned == cleaned.strip()
    assert len(cleaned.splitlines()) <= 1
    assert not any(unicodedata.category(character) == "Cc" for character in cleaned)


@pytest.mark.parametrize("text", ["", "\u200b", "\u200d\ufeff\u00ad", "\x07"])
def test_a_text_that_shows_nothing_is_empty(text):
    assert is_empty(clean(text))


def test_a_hostile_text_is_cleaned_in_time():
    start = time.perf_counter()
    clean("@" * 20_000 + "www." * 5_000 + "a." * 10_000 + "@a." * 5_000)
    assert time.perf_counter() - start < 5
