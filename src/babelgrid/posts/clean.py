"""Cleaning: a post's text as the model meets it. Its cost grows linearly with the length of the text."""

import unicodedata
from functools import lru_cache

import ftfy
import regex
from ftfy import chardata, fixes

from babelgrid.spelling import MARKS

# ftfy's own loop goes on for as long as anything changes, which can be once for each character of a text. Its steps
# are therefore called one by one, in its order.
ENCODING = ftfy.TextFixerConfig(explain=False)
CHARACTER_FIXES = (
    fixes.fix_c1_controls,
    fixes.fix_latin_ligatures,
    fixes.fix_character_width,
    fixes.uncurl_quotes,
    fixes.fix_line_breaks,
    fixes.fix_surrogates,
)

# What ftfy leaves of the control characters.
CONTROL = regex.compile(r"[\p{Cc}--\s]", regex.VERSION1)

ENTITY = regex.compile(r"&#?[0-9A-Za-z]{1,24}\Z")
LONGEST_ENTITY = 26

# A link ends before its closing punctuation, and before a script that is not Latin: Korean and Japanese posts run on
# without a space. A host without a scheme is a link only where it is surely one.
LINK = regex.compile(
    r"(?:https?://|(?<![\p{Latin}\p{N}_])(?:www\.|(?:t\.co|bit\.ly|youtu\.be|pic\.twitter\.com)/))"
    r"""(?:[[\x21-\x7e\p{Latin}]--["<>]])*[\p{Latin}0-9/=&#_%+~@$*-]""",
    regex.IGNORECASE | regex.VERSION1,
)

# A handle is written in ASCII letters, digits and underscores: up to 15 on X, 24 on TikTok, 30 on Instagram, Threads,
# YouTube and Mastodon, 32 on Telegram. It may name a server (@name@server) or be a domain (@name.bsky.social). It
# stands at the beginning of a word, and any other script ends it: particles are glued to it, and in scripts without
# spaces so is the whole sentence. A Latin letter beyond ASCII does not end it but shows that it is none.
HANDLE = regex.compile(
    r"""
    (?<!\w)@[A-Za-z0-9_]{1,32}+(?![\p{Latin}\p{N}\p{M}_])
    (?:(?:\.[A-Za-z0-9-]{1,63}+){1,8}\.[A-Za-z]{2,63}+(?![\p{Latin}\p{N}\p{M}_]))?+
    (?:@[A-Za-z0-9_-]{1,63}+(?:\.[A-Za-z0-9_-]{1,63}+){0,8}+(?![\p{Latin}\p{N}\p{M}_]))*+
    """,
    regex.VERSION1 | regex.VERBOSE,
)

MOST_ROUNDS = 8
MOST_ENCODINGS = 4
# All that an entity or wrongly decoded bytes can be spelled with, but for ASCII letters and digits.
SPELLS_OTHERS = regex.compile(
    "[&{}]".format(
        "".join(
            sorted(
                {
                    character
                    for encoding in chardata.CHARMAP_ENCODINGS
                    for character in bytes(range(128, 256)).decode(encoding, "ignore")
                }
            )
        )
    )
)


def clean(text: str) -> str:
    """Return the text with its encoding repaired (ftfy, NFC), HTML entities resolved and white space collapsed.

    Handles become `@user`, links become `http`; emoji, hashtags and e-mail addresses stay. Cleaning a clean text
    changes nothing. A text that hides words behind more than `MOST_ROUNDS` layers of wrong encodings, as only a
    program writes it, loses the characters that such layers are made of.
    """
    # One step can uncover work for another (`&amp;lt;`, a full-width ampersand), so it goes on until nothing changes.
    for _ in range(MOST_ROUNDS):
        cleaned = _clean_once(text)
        if cleaned == text:
            return text
        text = cleaned
    while (cleaned := _clean_once(SPELLS_OTHERS.sub("", text))) != text:
        text = cleaned
    return text


def is_empty(text: str) -> bool:
    """Whether a text shows nothing: only white space, control or zero-width characters."""
    return not any(character.isprintable() and not character.isspace() for character in text)


def _clean_once(text: str) -> str:
    text = _unescape(fixes.remove_control_chars(fixes.remove_terminal_escapes(text)))
    if not text.isascii():
        text = "\n".join(map(_decode, text.split("\n")))
    text = _fix_characters(text)
    text = unicodedata.normalize("NFC", MARKS.sub(r"\1", text))
    text = LINK.sub("http", text)
    text = HANDLE.sub("@user", text)
    return " ".join(text.split())


def _decode(line: str) -> str:
    """Undo wrong encodings, one over the other (`Ãƒ©`, `Ã©`, `é`)."""
    for _ in range(MOST_ENCODINGS):
        # The one step of ftfy.fix_encoding, which has no public name.
        decoded, _ = ftfy._fix_encoding_one_step_and_explain(line, ENCODING)
        if decoded == line:
            break
        line = decoded
    return line


def _fix_characters(text: str) -> str:
    if text.isascii():
        text = fixes.fix_line_breaks(text)
    else:
        for fix in CHARACTER_FIXES:
            text = fix(text)
    shown: str = CONTROL.sub("", text)
    return shown


def _unescape(text: str) -> str:
    """Resolve HTML entities, and those that are spelled with others (`&amp;amp;lt;`), in one pass over the text."""
    if "&" not in text:
        return text
    *pieces, rest = text.split(";")
    read: list[str] = []
    for piece in pieces:
        read.extend(piece)
        end = ";"
        # An entity may stand for the semicolon that ends another.
        while end == ";" and (found := ENTITY.search("".join(read[-LONGEST_ENTITY:]))):
            meaning = _meaning(found[0] + ";")
            if meaning is None:
                break
            del read[-len(found[0]) :]
            end = meaning
        read.extend(end)
    return "".join(read) + rest


@lru_cache(maxsize=4096)
def _meaning(entity: str) -> str | None:
    """Return the characters of an HTML entity as a clean text has them, or None where it is no entity."""
    meant = fixes.unescape_html(entity)
    return None if meant == entity else _fix_characters(meant)
