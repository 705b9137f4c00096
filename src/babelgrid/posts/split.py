"""Split posts by seed: stratified by label in each language, with groups and sources kept together."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from babelgrid.config.posts import Split
from babelgrid.posts.identifiers import seeded_rank

Stratum = tuple[str, ...]

# A unit goes to the part that most needs its labels; the total of its language decides only between equal parts.
TOTAL_WEIGHT = 1e-3


def split_posts(posts: pd.DataFrame, shares: Split, seed: int) -> pd.Series:
    """Return train, dev or test for each post (columns id, language, label, group, source_id).

    Posts connected by a group or a source, in any languages, form one unit and stay together. Units are placed one by
    one, the largest first and equal ones in a seeded order, each in the part furthest below its share of the unit's
    labels (greedy stratification after Sechidis, Tsoumakas and Vlahavas 2011, doi:10.1007/978-3-642-23808-6_10). The
    split of a language depends only on languages that it shares units with.
    """
    units = pd.Series(_units(posts), index=posts.index)
    members = posts.groupby(units, sort=False)
    firsts = members["id"].min()
    sizes = members.size()
    ranks = np.fromiter((seeded_rank(seed, first).encode() for first in firsts), dtype="S32", count=len(firsts))
    order = firsts.index[np.lexsort((ranks, -sizes.to_numpy()))]

    strata = _strata(posts, units, sizes)
    part_of_unit = _place(((unit, strata[unit]) for unit in order), _targets(strata, shares))
    return units.map(part_of_unit)


def _units(posts: pd.DataFrame) -> npt.NDArray[np.int32]:
    """Return the number of each post's unit, a connected component of posts, groups and sources."""
    edges = []
    nodes = len(posts)
    for column in ("group", "source_id"):
        codes, names = pd.factorize(posts[column])
        named = np.flatnonzero(codes >= 0)
        edges.append(np.stack([named, codes[named] + nodes]))
        nodes += len(names)
    ends = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(ends.shape[1], dtype=np.int8), (ends[0], ends[1])), shape=(nodes, nodes))
    components: npt.NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return components[: len(posts)]


def _strata(posts: pd.DataFrame, units: pd.Series, sizes: pd.Series) -> dict[int, Counter[Stratum]]:
    """Count, for each unit, its posts by (language, label) and by (language,)."""
    counts: dict[int, Counter[Stratum]] = {}
    # Most units are a single post; those with the same language and label share one counter.
    single: dict[Stratum, Counter[Stratum]] = {}
    is_single = units.map(sizes) == 1
    for unit, language, label, alone in zip(units, posts["language"], posts["label"], is_single, strict=True):
        if (language, label) not in single:
            single[language, label] = Counter({(language, label): 1, (language,): 1})
        if alone:
            counts[unit] = single[language, label]
        else:
            counts.setdefault(unit, Counter()).update(single[language, label])
    return counts


def _targets(strata: dict[int, Counter[Stratum]], shares: Split) -> dict[str, dict[Stratum, float]]:
    """Return the target number of posts of each stratum in each part, without parts whose share is 0."""
    totals: Counter[Stratum] = Counter()
    for counts in strata.values():
        totals.update(counts)
    wanted = {"train": 1 - shares.dev - shares.test, "test": shares.test, "dev": shares.dev}
    return {
        part: {stratum: share * total for stratum, total in totals.items()}
        for part, share in wanted.items()
        if share > 0
    }


def _place(units: Iterable[tuple[int, Counter[Stratum]]], needs: dict[str, dict[Stratum, float]]) -> dict[int, str]:
    """Place each unit in the part that needs its posts most, and subtract them from that part's needs."""
    placed = {}
    for unit, counts in units:
        gains = {part: _gain(counts, need) for part, need in needs.items()}
        chosen = max(gains, key=gains.__getitem__)
        placed[unit] = chosen
        for stratum, count in counts.items():
            needs[chosen][stratum] -= count
    return placed


def _gain(counts: Counter[Stratum], need: dict[Stratum, float]) -> float:
    """Return the reduction of the squared distance to the targets (up to a constant)."""
    return sum(count * need[stratum] * (1 if len(stratum) > 1 else TOTAL_WEIGHT) for stratum, count in counts.items())
