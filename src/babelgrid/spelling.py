"""Compare words by one rule: labels, languages, parts and column names, in data and in configs."""

import unicodedata
from collections.abc import Collection, Iterable

import regex

# Invisible characters: zero-width characters, soft hyphens, variation selectors and control characters.
UNSEEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}[\p{Cc}--\s]]", regex.VERSION1)
# No script needs more marks on a letter (UAX #15, Stream-Safe Text Format), and sorting n marks takes n² steps.
MARKS = regex.compile(r"(\p{M}{30})\p{M}+")
# In Turkish the capital of i keeps its dot (U+0130) and the capital of the dotless i (U+0131) is I; elsewhere I is the
# capital of i. All four are therefore treated as one letter.
DOT = regex.compile(r"(i\p{M}*?)\u0307")


def fold(word: str) -> str:
    """Return the form of a word that is used in comparisons.

    The result is the same for any case (including Turkish), any Unicode form (NFKC: composed or not, full or half
    width), any white space around and between its parts, and with or without invisible characters.
    """
    seen = MARKS.sub(r"\1", UNSEEN.sub("", word))
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", seen).casefold()).casefold()
    plain = unicodedata.normalize("NFKC", DOT.sub(r"\1", folded.replace("\u0131", "i")))
    return " ".join(UNSEEN.sub("", plain).split())


def respelled(names: Iterable[str], wanted: Collection[str]) -> list[str]:
    """Return the names in the data, replacing other spellings of a wanted name by the wanted name.

    If a wanted name is present exactly, other spellings are not replaced: `Text` next to `text` is a different name.
    """
    names = list(names)
    others = {fold(name): name for name in wanted if name not in names}
    return [others.get(fold(name), name) for name in names] if others else names
