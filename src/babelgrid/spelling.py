"""How words are compared: the one rule for labels, languages, parts and column names, in data and in configs."""

import unicodedata
from collections.abc import Collection, Iterable

import regex

# What shows nothing: zero-width characters, soft hyphens, variation selectors and control characters.
UNSEEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}[\p{Cc}--\s]]", regex.VERSION1)
# No script needs more marks on a letter (UAX #15, Stream-Safe Text Format); to put n marks in order takes n² steps.
MARKS = regex.compile(r"(\p{M}{30})\p{M}+")
# In Turkish the capital of i keeps its dot (U+0130) and that of the dotless i (U+0131) is I; elsewhere I is the capital
# of i. So all four are one letter.
DOT = regex.compile(r"(i\p{M}*?)\u0307")


def fold(word: str) -> str:
    """Return what is compared of a word.

    The same word in any case (the Turkish ones too), in any Unicode form (NFKC: composed or not, full width or half),
    with any white space around and between its parts, with or without characters that nobody sees.
    """
    seen = MARKS.sub(r"\1", UNSEEN.sub("", word))
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", seen).casefold()).casefold()
    plain = unicodedata.normalize("NFKC", DOT.sub(r"\1", folded.replace("\u0131", "i")))
    return " ".join(UNSEEN.sub("", plain).split())


def respelled(names: Iterable[str], wanted: Collection[str]) -> list[str]:
    """Return the names in the data, with each that is a wanted one in another spelling replaced by the wanted one.

    A wanted name that is there as it is wanted has no other spellings: `Text` beside `text` is another name.
    """
    names = list(names)
    others = {fold(name): name for name in wanted if name not in names}
    return [others.get(fold(name), name) for name in names] if others else names
