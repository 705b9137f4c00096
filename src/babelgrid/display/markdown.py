"""Escape text from data and config for Markdown."""

_MARKS = r"\`*_{}[]<>|#!~$"


def plain(text: object) -> str:
    """Return a text on one line with all Markdown characters escaped."""
    line = " ".join(str(text).split())
    return "".join(f"\\{mark}" if mark in _MARKS else mark for mark in line)


def in_code(text: object) -> str:
    """Return a text for a code span: on one line, without backticks, because a backslash does not escape there."""
    return " ".join(str(text).split()).replace("`", "'")
