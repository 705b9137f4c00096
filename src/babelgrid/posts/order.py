"""Order posts by seed, so that adding posts does not change the relative order of the others."""

import hashlib


def seeded_rank(seed: int, identifier: str) -> str:
    """Return a sort key that gives a pseudo-random order depending only on the seed and the posts' ids."""
    return hashlib.blake2b(f"{seed}\n{identifier}".encode(), digest_size=16).hexdigest()
