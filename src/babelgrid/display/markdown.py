"""Names and words from data and config, as Markdown shows them: no markup, no line of their own."""

_MARKS = r"\`*_{}[]<>|#!~$"


def plain(text: object) -> str:
    """Return a text on one line in which no character has a meaning for Markdown."""
    line = " ".join(str(text).split())
    return "".join(f"\\{mark}" if mark in _MARKS else mark for mark in line)


def in_code(text: object) -> str:
    """Return a text for a code span, in which no backslash escapes: on one line, without a backtick."""
    return " ".join(str(text).split()).replace("`", "'")
