"""Find near-copies among many texts without comparing all pairs.

Two sets of shingles with a Jaccard similarity of t or more share so many shingles that the few rarest of each set have
at least one in common (Chaudhuri, Ganti and Kaushik 2006, doi:10.1109/ICDE.2006.9; Bayardo, Ma and Srikant 2007,
doi:10.1145/1242572.1242591). An index of these few returns every candidate pair, so no pair is missed. The number of
shared rare shingles bounds the total number of shared shingles (Wang, Li and Feng 2012,
doi:10.1145/2213836.2213847), so few pairs are compared in full, even among posts made from one template.
"""

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

SHINGLE = 5
_SLOTS_BITS = 22
"""log2 of the number of shingle counters; shingles that share a counter only make the index slightly slower."""
_MULTIPLIERS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD],
    dtype=np.uint64,
)

_ROUNDING = 1e-6
"""Tolerance that prevents floating-point errors from raising an integer bound by one."""

_MORE = 3
"""Extra shingles per key in the index: with more of them, fewer texts are compared in full."""

_NUMBER = np.uint64(0xFFFFFFFF)
"""The bits of an entry that contain the number of a key; the others are the first 32 bits of a shingle's hash."""

_RECENT = 4096
"""Number of keys in the dictionary part of the index."""

_LARGEST = 1 << 24
"""Maximum number of entries in a merged array, which limits the memory for merging to 256 MB."""

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.uint64]


class NearIndex:
    """An index of the keys of kept posts for finding near-copies."""

    def __init__(self, threshold: float, keys: Iterable[str]) -> None:
        """Create an empty index that finds exactly the keys of Jaccard similarity `threshold` or more.

        keys: all keys that will be added or searched for, used to count how often each shingle occurs.
        """
        self._threshold = threshold
        self._counts = np.zeros(1 << _SLOTS_BITS, dtype=np.uint32)
        for key in keys:
            self._counts[_slots(_hashes(key))] += 1
        self._stays: list[str] = []
        self._sizes = array("I")
        # The number of shingles of each key that are not in the index.
        self._rests = array("I")
        # An entry consists of a rare shingle and the number of a key that contains it. The latest entries are also in
        # a dictionary.
        self._sorted: list[Hashes] = []
        self._latest = array("Q")
        self._recent: dict[int, list[int]] = defaultdict(list)

    def find_or_add(self, key: str) -> str | None:
        """Return the most similar key in the index, or add the key and return None if no key is near.

        Of equally similar keys, the first in sort order is returned.
        """
        hashes, size = self._rarest(key)
        candidates = sorted(self._stays[number] for number in self._candidates(hashes, size))
        shingles = _shingles(key) if candidates else frozenset()
        similarity = {other: _jaccard(shingles, _shingles(other)) for other in candidates}
        best = max(similarity, key=similarity.__getitem__, default=None)
        if best is not None and similarity[best] >= self._threshold:
            return best
        self._add(key, hashes, size)
        return None

    def _add(self, key: str, hashes: Hashes, size: int) -> None:
        number = len(self._stays)
        for shingle in hashes.tolist():
            self._recent[shingle].append(number)
        self._latest.extend((hashes | np.uint64(number)).tolist())
        self._stays.append(key)
        self._sizes.append(size)
        self._rests.append(size - len(hashes))
        if len(self._stays) % _RECENT == 0:
            self._sort_latest()

    def _candidates(self, hashes: Hashes, size: int) -> list[int]:
        """Return the numbers of the keys that may be near, judged by the shared rare shingles."""
        numbers, common = _counted(self._sharing(hashes))
        others = np.frombuffer(self._sizes, np.uint32)[numbers]
        # Any other shared shingle is outside the index for at least one of the two keys.
        rest = np.maximum(np.frombuffer(self._rests, np.uint32)[numbers], size - len(hashes))
        needed = np.ceil(self._threshold / (1 + self._threshold) * (others + float(size)) - _ROUNDING)
        found: list[int] = numbers[common + rest >= needed].tolist()
        return found

    def _sharing(self, hashes: Hashes) -> Numbers:
        """Return the numbers of the keys that contain these rare shingles, once per shared shingle."""
        recent = [number for shingle in hashes.tolist() for number in self._recent.get(shingle, ())]
        found = [np.array(recent, np.uint64)]
        for entries in self._sorted:
            starts = np.searchsorted(entries, hashes)
            ends = np.searchsorted(entries, hashes | _NUMBER, side="right")
            found += [entries[start:end] & _NUMBER for start, end in zip(starts, ends, strict=True) if start < end]
        return np.concatenate(found)

    def _sort_latest(self) -> None:
        """Move the dictionary's entries to a sorted array, and merge arrays of similar size."""
        self._sorted.append(np.sort(np.array(self._latest, np.uint64)))
        self._latest, self._recent = array("Q"), defaultdict(list)
        while len(self._sorted) > 1:
            second, first = self._sorted[-1], self._sorted[-2]
            if len(first) > 2 * len(second) or len(first) + len(second) > _LARGEST:
                return
            self._sorted[-2:] = [np.sort(np.concatenate([first, second]), kind="stable")]

    def _rarest(self, key: str) -> tuple[Hashes, int]:
        """Return the rarest shingles of a key, as entries without a number, and the key's number of shingles.

        Shingles are ranked in the same order for all keys.
        """
        hashes = _hashes(key)
        rarest = np.argsort(self._counts[_slots(hashes)], kind="stable")
        size = len(hashes)
        return hashes[rarest[: self._head(size)]] & ~_NUMBER, size

    def _head(self, size: int) -> int:
        """Return how many shingles of a key with `size` shingles are in the index.

        A near key shares at least `least` (`threshold` times `size`) of them, so at least one of any
        `size - least + 1` shingles.
        """
        least = max(1, math.ceil(self._threshold * size - _ROUNDING))
        return min(size, size - least + 1 + _MORE)


def _shingles(key: str) -> frozenset[str]:
    return frozenset(key[i : i + SHINGLE] for i in range(max(len(key) - SHINGLE, 0) + 1))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def _hashes(key: str) -> Hashes:
    """Return the distinct shingles of a key as 64-bit hashes in ascending order."""
    letters = np.frombuffer(key.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64) + np.uint64(1)
    padded = np.zeros(max(len(letters), SHINGLE), dtype=np.uint64)
    padded[: len(letters)] = letters
    windows = len(padded) - SHINGLE + 1
    hashes = padded[:windows] * _MULTIPLIERS[0]
    for place in range(1, SHINGLE):
        hashes += padded[place : place + windows] * _MULTIPLIERS[place]
    return _counted(hashes)[0]


def _counted(values: Numbers) -> tuple[Numbers, NDArray[np.int64]]:
    """Return the distinct values in ascending order and their counts; faster than `np.unique` on small arrays."""
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    starts = np.flatnonzero(is_first)
    return ordered[starts], np.diff(starts, append=len(ordered))


def _slots(hashes: Hashes) -> NDArray[np.int64]:
    return (hashes >> np.uint64(64 - _SLOTS_BITS)).astype(np.int64)
