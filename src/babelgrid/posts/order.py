"""A seeded order of posts in which each keeps its place whatever other posts there are."""

import hashlib


def seeded_rank(seed: int, identifier: str) -> str:
    """Return a key that sorts posts in an order that looks random and depends on the seed and their ids alone."""
    return hashlib.blake2b(f"{seed}\n{identifier}".encode(), digest_size=16).hexdigest()
