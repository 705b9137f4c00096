"""Near-copies of a text among many, found without comparing each with each.

Two sets of shingles with a Jaccard similarity of t or more share so many that at least one of the few rarest of each is
common to both (Chaudhuri, Ganti and Kaushik 2006, doi:10.1109/ICDE.2006.9; Bayardo, Ma and Srikant 2007,
doi:10.1145/1242572.1242591). An index of those few proposes every pair that can be near, and no pair is missed. Where a
shared shingle stands among those of each text bounds how many they can share in all (Xiao et al. 2011,
doi:10.1145/2000824.2000825), so that posts made from one template do not all propose each other.
"""

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

SHINGLE = 5
_SLOTS = 1 << 20
"""Counters of how often shingles occur; two that share a counter only make the index a little slower."""
_MULTIPLIERS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD],
    dtype=np.uint64,
)

_ROUNDING = 1e-6
"""A bound that is a whole number must not be missed by an error in its last digit."""

_NOWHERE: dict[tuple[int, int], list[int]] = {}

Hashes = NDArray[np.uint64]


class NearIndex:
    """The keys of the posts that stay, to be searched for near-copies."""

    def __init__(self, threshold: float, keys: Iterable[str]) -> None:
        """Make an empty index that finds keys of Jaccard similarity `threshold` or more, exactly.

        keys: all that will be added or looked for, to learn which shingles are rare.
        """
        self._threshold = threshold
        self._counts = np.zeros(_SLOTS, dtype=np.uint32)
        for key in keys:
            self._counts[_slots(_hashes(key))] += 1
        self._stays: list[str] = []
        # Shingle -> (how many shingles its key has, how many rarer ones it has) -> numbers of keys.
        self._places: dict[int, dict[tuple[int, int], list[int]]] = defaultdict(dict)

    def find(self, key: str) -> str | None:
        """Return the most similar key, of equally similar ones the first in the alphabet, or None if none is near."""
        shingles = _shingles(key)
        candidates = sorted(self._stays[number] for number in self._candidates(key))
        similarity = {other: _jaccard(shingles, _shingles(other)) for other in candidates}
        best = max(similarity, key=similarity.__getitem__, default=None)
        return best if best is not None and similarity[best] >= self._threshold else None

    def add(self, key: str) -> None:
        """Add the key of a post that stays."""
        size, rarest = self._rarest_first(key)
        for rarer, shingle in enumerate(rarest):
            self._places[shingle].setdefault((size, rarer), []).append(len(self._stays))
        self._stays.append(key)

    def _candidates(self, key: str) -> set[int]:
        """Return the numbers of the keys that may be near, by a rare shingle that they share."""
        size, rarest = self._rarest_first(key)
        found: set[int] = set()
        needed: dict[int, int] = {}
        for rarer, shingle in enumerate(rarest):
            most = size - rarer
            for (other_size, other_rarer), numbers in self._places.get(shingle, _NOWHERE).items():
                if other_size not in needed:
                    needed[other_size] = self._needed(size, other_size)
                if most >= needed[other_size] <= other_size - other_rarer:
                    found.update(numbers)
        return found

    def _rarest_first(self, key: str) -> tuple[int, list[int]]:
        """Return how many shingles a key has, and the rarest: one of them is in every near key."""
        hashes = _hashes(key)
        order = np.lexsort((hashes, self._counts[_slots(hashes)]))
        size = len(hashes)
        # The smallest key that can be near has threshold x size shingles, all of them shared.
        first = size - max(1, math.ceil(self._threshold * size - _ROUNDING)) + 1
        return size, [int(shingle) for shingle in hashes[order[:first]]]

    def _needed(self, size: int, other: int) -> int:
        """Return how many shingles two keys of these sizes share at least if they are near."""
        return math.ceil(self._threshold / (1 + self._threshold) * (size + other) - _ROUNDING)


def _shingles(key: str) -> frozenset[str]:
    return frozenset(key[i : i + SHINGLE] for i in range(max(len(key) - SHINGLE, 0) + 1))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def _hashes(key: str) -> Hashes:
    """Return the different shingles of a key as numbers of 64 bits, in rising order."""
    letters = np.frombuffer(key.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64) + np.uint64(1)
    letters = np.pad(letters, (0, max(SHINGLE - len(letters), 0)))
    windows = np.lib.stride_tricks.sliding_window_view(letters, SHINGLE)
    return np.unique((windows * _MULTIPLIERS).sum(axis=1, dtype=np.uint64))


def _slots(hashes: Hashes) -> NDArray[np.int64]:
    return (hashes >> np.uint64(44)).astype(np.int64)
