"""Cleaning: a post's text as the model meets it."""

import ftfy
import regex

FTFY = ftfy.TextFixerConfig(unescape_html=True, normalization="NFC", explain=False)

# What ftfy leaves of the control characters.
CONTROL = regex.compile(r"[\p{Cc}--\s]", regex.VERSION1)

# A link ends before its closing punctuation, and before a script that is not Latin: Korean and Arabic posts often run
# on without a space. A host without a scheme is a link only where it is surely one.
LINK = regex.compile(
    r"(?:https?://|www\.|\b(?:t\.co|bit\.ly|youtu\.be|pic\.twitter\.com)/)"
    r"""(?:[[\x21-\x7e\p{Latin}]--["<>]])*[\p{Latin}\p{N}/=&#_%+~@$*-]""",
    regex.IGNORECASE | regex.VERSION1,
)

# `regex`, unlike `re`, counts vowel signs (Devanagari and others) as part of a word. A Latin handle ends where another
# script begins, because particles are glued to it. A handle on a named server (@name@server, @name.server.social) is
# one handle. An @ inside a word is a handle unless a domain follows: that is an e-mail address, and it stays.
HANDLE = regex.compile(
    r"(?:(?<!\w)|(?!@[\w-]+\.\w))@(?:[\p{Latin}\p{N}\p{M}_]+|\w+)(?:@\w[\w.-]*\w|(?:\.\w+){2,})?",
    regex.VERSION1,
)


def clean(text: str) -> str:
    """Return the text with its encoding mended (ftfy, NFC), HTML entities resolved and white space collapsed.

    Handles become `@user`, links become `http`; emoji, hashtags and e-mail addresses stay. Cleaning a clean text
    changes nothing.
    """
    # One step can uncover work for another (`&amp;lt;`, a handle behind a link), so it goes on until nothing changes.
    while (cleaned := _clean_once(text)) != text:
        text = cleaned
    return text


def is_empty(text: str) -> bool:
    """Whether a text shows nothing: only white space, control or zero-width characters."""
    return not any(character.isprintable() and not character.isspace() for character in text)


def _clean_once(text: str) -> str:
    text = CONTROL.sub("", ftfy.fix_text(text, FTFY))
    text = LINK.sub("http", text)
    text = HANDLE.sub("@user", text)
    return " ".join(text.split())
