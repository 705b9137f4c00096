from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babelgrid.config.posts import Split
from babelgrid.posts.split import split_posts

SHARES = Split(dev=0.1, test=0.2)


def frame(rows):
    posts = pd.DataFrame(rows, columns=["language", "label", "group", "source_id"], dtype="object")
    return posts.assign(id=[f"{language}-{i}" for i, language in enumerate(posts["language"])])


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["en", "hu", "ko"]),
        st.sampled_from(["pro", "anti", "neutral"]),
        st.none() | st.sampled_from([f"g{i}" for i in range(9)]),
        st.none() | st.sampled_from([f"s{i}" for i in range(9)]),
    ),
    min_size=1,
    max_size=60,
)


@pytest.mark.slow
@given(ROWS, st.integers(0, 5))
def test_groups_and_sources_stay_in_one_part(rows, seed):
    posts = frame(rows)
    posts["split"] = split_posts(posts, SHARES, seed)
    assert set(posts["split"]) <= {"train", "dev", "test"}
    for column in ("group", "source_id"):
        assert (posts.dropna(subset=column).groupby(column)["split"].nunique() <= 1).all()


@pytest.mark.slow
@given(ROWS, st.integers(0, 5), st.randoms())
def test_split_depends_only_on_seed_and_posts(rows, seed, random):
    posts = frame(rows)
    split = split_posts(posts, SHARES, seed)
    shuffled = posts.sample(frac=1, random_state=random.randrange(1000))
    assert split_posts(shuffled, SHARES, seed).sort_index().equals(split)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["en", "hu"]), st.sampled_from(["pro", "anti"])), min_size=1, max_size=120))
def test_each_label_and_language_is_split_by_shares(pairs):
    posts = frame([(*pair, None, None) for pair in pairs])
    split = split_posts(posts, SHARES, seed=3)
    counts = Counter(zip(posts["language"], posts["label"], split, strict=True))
    for language, label in set(pairs):
        total = pairs.count((language, label))
        for part, share in {"train": 0.7, "dev": 0.1, "test": 0.2}.items():
            assert abs(counts[language, label, part] - share * total) <= 1


@pytest.mark.slow
@given(ROWS, ROWS)
def test_unconnected_language_does_not_change_split(rows, more):
    posts = frame(rows)
    others = frame(
        [("tr", label, group and f"tr{group}", source and f"tr{source}") for _, label, group, source in more]
    )
    together = pd.concat([others, posts], ignore_index=True)
    split = split_posts(together, SHARES, seed=1)[len(others) :]
    assert list(split) == list(split_posts(posts, SHARES, seed=1))


def test_different_seed_gives_different_split():
    posts = frame([("en", "pro", None, None)] * 100)
    assert not split_posts(posts, SHARES, 1).equals(split_posts(posts, SHARES, 2))


def test_zero_dev_share_gives_no_dev_part():
    posts = frame([("en", "pro", None, None)] * 10)
    assert Counter(split_posts(posts, Split(dev=0, test=0.2), 1)) == {"train": 8, "test": 2}


def test_copies_are_removed_before_splitting(write, prepare):
    rows = "".join(f"en,number {i} is a post of its own kind {i * i},pro\n" for i in range(20))
    write("a.csv", "language,text,label\n" + rows + rows)
    posts, dropped = prepare()
    assert Counter(posts["split"]) == {"train": 14, "test": 4, "dev": 2}
    assert set(dropped["reason"]) == {"duplicate"}
    assert len(dropped) == 20
