"""Define the exception for mistakes that a user can fix."""

import difflib
from collections.abc import Iterable

MESSAGE_LENGTH = 300
"""Number of characters shown of another library's message."""


class UserError(Exception):
    """A mistake in a config, a data file or a machine; shown as a message without a traceback.

    The message says what was found and where, what is allowed, and what to do.
    """


def in_one_line(error: BaseException) -> str:
    """Return the type of another library's error and the beginning of its message, without line breaks."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:MESSAGE_LENGTH]}{'…' if len(words) > MESSAGE_LENGTH else ''}"


def nearest(word: object, allowed: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the closest allowed spelling, or an empty string."""
    close = difflib.get_close_matches(str(word), list(allowed), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
