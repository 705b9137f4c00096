"""Near-copies of a text among many, found without comparing each with each.

Two sets of shingles with a Jaccard similarity of t or more share so many that at least one of the few rarest of each is
common to both (Chaudhuri, Ganti and Kaushik 2006, doi:10.1109/ICDE.2006.9; Bayardo, Ma and Srikant 2007,
doi:10.1145/1242572.1242591). An index of those few proposes every pair that can be near, and no pair is missed. Where a
shared shingle stands among those of each text bounds how many they can share in all (Xiao et al. 2011,
doi:10.1145/2000824.2000825), and so does the number of rare ones that they share (Wang, Li and Feng 2012,
doi:10.1145/2213836.2213847). So neither posts made from one template nor posts of few words all propose each other.
"""

import math
from array import array
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

_MORE = 3
"""Shingles that are compared beyond those in the index: the more, the fewer texts are compared as a whole."""

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
        self._sizes = array("I")
        # The rarest shingles of each key that stays.
        self._heads: list[array[int]] = []
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
        hashes = self._rarest_first(key)
        size = len(hashes)
        for rarer, shingle in enumerate(hashes[: size - self._least(size) + 1].tolist()):
            self._places[shingle].setdefault((size, rarer), []).append(len(self._stays))
        self._stays.append(key)
        self._sizes.append(size)
        self._heads.append(array("Q", self._head(hashes)))

    def _candidates(self, key: str) -> set[int]:
        """Return the numbers of the keys that may be near, by the rare shingles that they share."""
        hashes = self._rarest_first(key)
        size = len(hashes)
        found: set[int] = set()
        needed: dict[int, int] = {}
        for rarer, shingle in enumerate(hashes[: size - self._least(size) + 1].tolist()):
            most = size - rarer
            for (other_size, other_rarer), numbers in self._places.get(shingle, _NOWHERE).items():
                if other_size not in needed:
                    needed[other_size] = self._needed(size, other_size)
                if most >= needed[other_size] <= other_size - other_rarer:
                    found.update(numbers)
        head = frozenset(self._head(hashes))
        return {number for number in found if self._may_be_near(head, size, number, needed)}

    def _may_be_near(self, head: frozenset[int], size: int, number: int, needed: dict[int, int]) -> bool:
        """Compare the rarest shingles of two keys: what they can share besides is in the rest of one of them."""
        other, other_head = self._sizes[number], self._heads[number]
        common = len(head.intersection(other_head))
        return common + max(size - len(head), other - len(other_head)) >= needed[other]

    def _rarest_first(self, key: str) -> Hashes:
        """Return the shingles of a key in one order for all keys, the rarest first."""
        hashes = _hashes(key)
        return hashes[np.lexsort((hashes, self._counts[_slots(hashes)]))]

    def _least(self, size: int) -> int:
        """Return how many shingles of a key of this size each near key has at least.

        So a near key has at least one of all but so many, less one, of its shingles: of the rarest too.
        """
        return max(1, math.ceil(self._threshold * size - _ROUNDING))

    def _head(self, hashes: Hashes) -> list[int]:
        """Return the rarest shingles of a key: those in the index and some more."""
        size = len(hashes)
        head: list[int] = hashes[: size - self._least(size) + 1 + _MORE].tolist()
        return head

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
    padded = np.zeros(max(len(letters), SHINGLE), dtype=np.uint64)
    padded[: len(letters)] = letters
    windows = len(padded) - SHINGLE + 1
    hashes = padded[:windows] * _MULTIPLIERS[0]
    for place in range(1, SHINGLE):
        hashes += padded[place : place + windows] * _MULTIPLIERS[place]
    return np.unique(hashes)


def _slots(hashes: Hashes) -> NDArray[np.int64]:
    return (hashes >> np.uint64(44)).astype(np.int64)
