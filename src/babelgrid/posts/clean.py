"""Clean the text of a post for the model, in time linear in the length of the text."""

import unicodedata
from functools import lru_cache

import ftfy
import regex
from ftfy import chardata, fixes

from babelgrid.spelling import MARKS

# ftfy's own loop repeats until nothing changes, which can take one round per character of the text. Its steps are
# therefore called one by one, in the same order.
ENCODING = ftfy.TextFixerConfig(explain=False)
CHARACTER_FIXES = (
    fixes.fix_c1_controls,
    fixes.fix_latin_ligatures,
    fixes.fix_character_width,
    fixes.uncurl_quotes,
    fixes.fix_line_breaks,
    fixes.fix_surrogates,
)

# The control characters that ftfy leaves in the text.
CONTROL = regex.compile(r"[\p{Cc}--\s]", regex.VERSION1)

ENTITY = regex.compile(r"&#?[0-9A-Za-z]{1,24}\Z")
MAX_ENTITY = 26

# A link ends before closing punctuation and before a non-Latin script, because Korean and Japanese posts continue
# without a space. A host without a scheme counts as a link only if it is one of a few unambiguous hosts.
LINK = regex.compile(
    r"(?:https?://|(?<![\p{Latin}\p{N}_])(?:www\.|(?:t\.co|bit\.ly|youtu\.be|pic\.twitter\.com)/))"
    r"""(?:[[\x21-\x7e\p{Latin}]--["<>]])*[\p{Latin}0-9/=&#_%+~@$*-]""",
    regex.IGNORECASE | regex.VERSION1,
)

# A handle consists of ASCII letters, digits and underscores: up to 15 on X, 24 on TikTok, 30 on Instagram, Threads,
# YouTube and Mastodon, 32 on Telegram. It may include a server (@name@server) or be a domain (@name.bsky.social). It
# starts a word, and any other script ends it: particles, and in scripts without spaces whole sentences, follow it
# directly. A match followed by a non-ASCII Latin letter is not a handle.
HANDLE = regex.compile(
    r"""
    (?<!\w)@[A-Za-z0-9_]{1,32}+(?![\p{Latin}\p{N}\p{M}_])
    (?:(?:\.[A-Za-z0-9-]{1,63}+){1,8}\.[A-Za-z]{2,63}+(?![\p{Latin}\p{N}\p{M}_]))?+
    (?:@[A-Za-z0-9_-]{1,63}+(?:\.[A-Za-z0-9_-]{1,63}+){0,8}+(?![\p{Latin}\p{N}\p{M}_]))*+
    """,
    regex.VERSION1 | regex.VERBOSE,
)

MAX_ROUNDS = 8
MAX_ENCODINGS = 4
# All characters that can occur in an entity or in wrongly decoded bytes, except ASCII letters and digits.
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

    Handles become `@user` and links become `http`; emoji, hashtags and e-mail addresses stay. Cleaning a clean text
    changes nothing. If a text is wrapped in more than `MAX_ROUNDS` layers of wrong encodings, which only a program
    would write, the characters that form those layers are removed.
    """
    # One step can create work for another (`&amp;lt;`, a full-width ampersand), so the steps repeat until nothing
    # changes.
    for _ in range(MAX_ROUNDS):
        cleaned = _clean_once(text)
        if cleaned == text:
            return text
        text = cleaned
    while (cleaned := _clean_once(SPELLS_OTHERS.sub("", text))) != text:
        text = cleaned
    return text


def is_empty(text: str) -> bool:
    """Return whether a text has no visible character: only white space, control or zero-width characters."""
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
    """Undo nested wrong encodings (`Ãƒ©`, `Ã©`, `é`)."""
    for _ in range(MAX_ENCODINGS):
        # A single step of ftfy.fix_encoding, for which ftfy has no public function.
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
    """Resolve HTML entities, including nested ones (`&amp;amp;lt;`), in one pass over the text."""
    if "&" not in text:
        return text
    *pieces, rest = text.split(";")
    read: list[str] = []
    for piece in pieces:
        read.extend(piece)
        end = ";"
        # An entity may represent the semicolon that ends another entity.
        while end == ";" and (found := ENTITY.search("".join(read[-MAX_ENTITY:]))):
            meaning = _meaning(found[0] + ";")
            if meaning is None:
                break
            del read[-len(found[0]) :]
            end = meaning
        read.extend(end)
    return "".join(read) + rest


@lru_cache(maxsize=4096)
def _meaning(entity: str) -> str | None:
    """Return the cleaned characters of an HTML entity, or None if the text is not an entity."""
    meant = fixes.unescape_html(entity)
    return None if meant == entity else _fix_characters(meant)
