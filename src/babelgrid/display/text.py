"""Write text for people: escaped Markdown, and durations."""

SCORE_DIGITS = 5
"""Digits to which scores are rounded before they are written with fewer, so that pages and figures agree."""
_MARKS = r"\`*_{}[]<>|#!~$"


def plain(text: object) -> str:
    """Return a text on one line with all Markdown characters escaped."""
    line = " ".join(str(text).split())
    return "".join(f"\\{mark}" if mark in _MARKS else mark for mark in line)


def in_code(text: object) -> str:
    """Return a text for a code span: on one line, without backticks, because a backslash does not escape there."""
    return " ".join(str(text).split()).replace("`", "'")


def duration(seconds: float) -> str:
    """Return a duration in two units at most: `4.2 s`, `3 min 05 s` or `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
