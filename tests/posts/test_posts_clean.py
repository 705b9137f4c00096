import unicodedata
from string import ascii_letters, digits

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from babelgrid.posts import clean as cleaning
from babelgrid.posts.clean import HANDLE, clean, is_empty

WRITTEN = "@ @name @नाम http https:// www. t.co/ a.b &amp; &lt; lt; &#64; Ã© â€™ é 입 م ी . / … # 👩"
UNSEEN = [" ", "\uff20", "\u200d", "\x00", "\x85", "\x9d", "\u2028", "\ufeff", "\ud83d", "e\u0301"]
PIECES = st.sampled_from([*WRITTEN.split(" "), *UNSEEN])


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("RT @John_1: hi", "RT @user: hi"),
        (".@POTUS, hi", ".@user, hi"),
        ("@नाम नमस्ते @की", "@नाम नमस्ते @की"),
        ("@اسم مرحبا", "@اسم مرحبا"),
        ("忘年会@横浜で会った", "忘年会@横浜で会った"),
        ("忘年会\uff20横浜で会った\uff20Yuki_3さん", "忘年会@横浜で会った@Yuki_3さん"),
        ("明日は \uff20Yuki_3さん来る", "明日は @user\u3055ん来る"),
        ("@李雷我不同意这个政策", "@李雷我不同意这个政策"),
        ("ไปงาน@เชียงใหม่ไม่เห็นด้วย", "ไปงาน@เชียงใหม่ไม่เห็นด้วย"),
        ("@Somchaiไม่เห็นด้วย", "@userไม่เห็นด้วย"),
        ("ຂ້ອຍ@ວຽງຈັນ ខ្ញុំ@ភ្នំពេញ ကျွန်တော်@ရန်ကုန်", "ຂ້ອຍ@ວຽງຈັນ ខ្ញុំ@ភ្នំពេញ ကျွန်တော်@ရန်ကုန်"),
        ("amig@s y tod@s", "amig@s y tod@s"),
        ("@" + "a" * 32 + " @" + "b" * 33, "@user @" + "b" * 33),
        ("@Jürgen @müller", "@Jürgen @müller"),
        ("@jane.Thanks, @jane", "@user.Thanks, @user"),
        ("@one@two hi", "@user hi"),
        ("見てhttps://t.co/abc見てt.co/abcだよ①", "見てhttp見てhttpだよ①"),
        ("ดูhttps://example.org/a?b=cที่นี่", "ดูhttpที่นี่"),
        ("https://example.org/a、それは", "http、それは"),
        ("awww.cute", "awww.cute"),
        ("@john님 https://t.co/abc입니다", "@user님 http입니다"),
        ("thanks@john", "thanks@john"),
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
def test_clean_text(raw, cleaned):
    assert clean(raw) == cleaned


@given(st.text() | st.lists(PIECES).map("".join) | st.text(st.characters(categories=None), max_size=30))
def test_cleaning_is_idempotent(text):
    once = clean(text)
    assert clean(once) == once


@given(st.lists(PIECES | st.text(max_size=3)).map("".join))
def test_clean_text_is_one_line_of_valid_utf8(text):
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert cleaned == cleaned.strip()
    assert len(cleaned.splitlines()) <= 1
    assert not any(unicodedata.category(character) == "Cc" for character in cleaned)


@pytest.mark.parametrize("text", ["", "\u200b", "\u200d\ufeff\u00ad", "\x07"])
def test_invisible_text_is_empty(text):
    assert is_empty(clean(text))


@given(st.text() | st.lists(PIECES).map("".join))
def test_no_handle_without_at_sign_before_ascii(text):
    assert HANDLE.search(regex.sub(r"@+(?=[A-Za-z0-9_])", "", text)) is None


@given(
    st.text(st.characters(min_codepoint=0xE00, max_codepoint=0x9FFF, categories=["Lo"]), min_size=1),
    st.text(ascii_letters + digits + "_", min_size=1, max_size=32),
)
def test_only_handle_is_replaced_before_unspaced_text(words, name):
    assert clean(f"@{name}{words}") == clean(f"@user{words}")


LAYERS = {
    "ampersands": (lambda n: "&" + "amp;" * n + "lt;b", "<b"),
    "numbers": (lambda n: "&" + "#38;" * n + "lt;b", "<b"),
    "semicolons": (lambda n: "&lt" + "&semi" * n + ";b", "<b"),
    "full width": (lambda n: "&#xFF06;" + "#xFF06;" * n + "lt;b", "<b"),
    "control characters": (lambda n: "a" + "&#" * n + "1;" * n + "b", "ab"),
    "terminal escapes": (lambda n: "\x1b[" * n + "0mb", lambda n: "[" * (n - 1) + "b"),
    "encodings and entities": (lambda n: "&" + "iuml;\u00bc\u2020" * n, None),
    "encodings": (lambda n: "\u5165 \u00c3" + "\u0192" * n, None),
}


@pytest.mark.parametrize("name", LAYERS)
def test_nested_encodings_are_cleaned_in_few_rounds(name, monkeypatch):
    layered, cleaned = LAYERS[name]
    rounds = []
    once = cleaning._clean_once
    monkeypatch.setattr(cleaning, "_clean_once", lambda text: rounds.append(1) or once(text))
    found = clean(layered(300))
    assert cleaned is None or found == (cleaned(300) if callable(cleaned) else cleaned)
    assert len(rounds) <= cleaning.MAX_ROUNDS + 3
    assert clean(found) == found


def test_entities_are_resolved_in_one_pass(monkeypatch):
    asked = []
    meaning = cleaning._meaning
    monkeypatch.setattr(cleaning, "_meaning", lambda entity: asked.append(entity) or meaning(entity))
    assert cleaning._unescape("&" + "amp;" * 500 + "lt;") == "<"
    assert len(asked) == 501


def test_letter_keeps_at_most_thirty_marks():
    assert clean("a" + "\u0316\u0301" * 500) == clean("a" + "\u0316\u0301" * 15)
