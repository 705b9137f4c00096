"""What a released adapter is called."""

import re

LONGEST = 96
"""Characters of a repository's name on the Hub."""


def release_name(experiment: str, mixture: str, seed: int, is_llama: bool) -> str:
    """Return the adapter's name on the Hub; of a Llama base it begins so (Llama 3 Community License, section 1.b.i).

    Letters that the Hub does not take become hyphens, and so two mixtures may come to one name.
    """
    end = f"-{mixture}-seed{seed}"
    begin = f"{'Llama-' if is_llama else ''}{experiment}"[: LONGEST - len(end)]
    return re.sub(r"[-.]{2,}", "-", re.sub(r"[^A-Za-z0-9._-]+", "-", begin + end)).strip("-.")
