"""Name released adapters."""

import re

LONGEST = 96
"""Maximum number of characters in a repository's name on the Hub."""


def release_name(experiment: str, mixture: str, seed: int, is_llama: bool) -> str:
    """Return the adapter's name on the Hub.

    For a Llama base it begins with "Llama" (Llama 3 Community License, section 1.b.i). Characters that the Hub does not
    allow become hyphens, so two mixtures may get the same name.
    """
    end = f"-{mixture}-seed{seed}"
    begin = f"{'Llama-' if is_llama else ''}{experiment}"[: LONGEST - len(end)]
    return re.sub(r"[-.]{2,}", "-", re.sub(r"[^A-Za-z0-9._-]+", "-", begin + end)).strip("-.")
