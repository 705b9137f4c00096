"""Show values in config errors: shortened, and masked if they look like a key."""

import re
import reprlib
from collections.abc import Iterator
from typing import Any

LONGEST = 200
"""Maximum characters of a value in an error."""
KEY = re.compile(
    r"(?<![A-Za-z0-9])((sk|pk|rk|hf|gsk|ghp|gho|github_pat|glpat|xai|key|api|xox[a-z])[-_]|AKIA|ASIA|AIza)"
    r"(?=[\w-]*\d)[\w-]{12}"
)
"""Prefixes that providers use for their keys."""
LONG_WORD = re.compile(r"[A-Za-z0-9_+=-]{24,}")


def shown(found: Any) -> str:
    """Return a value from a config as an error shows it."""
    if any(map(looks_like_key, _texts(found, depth=3))):
        return "a value that looks like a secret key (not shown here)"
    text = _OUTLINE.repr(found) if isinstance(found, dict | list | tuple) else repr(found)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def begins_like_key(text: str) -> bool:
    """Return whether a text contains the beginning of a provider's key."""
    return bool(KEY.search(text))


def looks_like_key(text: str) -> bool:
    """Return whether a text may be a secret: it begins like a key, or contains a long word of letters and digits."""
    words = LONG_WORD.findall(text)
    return begins_like_key(text) or any(re.search(r"\d", word) and re.search(r"[A-Za-z]", word) for word in words)


def _texts(found: Any, depth: int) -> Iterator[str]:
    """Yield the texts in a block or list, the first hundred of each level."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict | list | tuple) and depth:
        items = [*found, *found.values()] if isinstance(found, dict) else found
        for item in items[:100]:
            yield from _texts(item, depth - 1)


_OUTLINE = reprlib.Repr()
_OUTLINE.maxlevel = 2  # YAML anchors can expand a list to 10^10 values
