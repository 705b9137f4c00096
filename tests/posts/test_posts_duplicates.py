import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babelgrid.posts import near as near_module
from babelgrid.posts.duplicates import comparison_key, drop_copies, drop_shared_sources

LONG = "the quick brown fox jumps over the lazy dog while the small grey cat looks on from the roof of the old red barn"


def frame(*rows):
    posts = pd.DataFrame(rows, columns=["language", "split", "text"])
    return posts.assign(
        id=[f"{language}-{i}" for i, language in enumerate(posts["language"])],
        file="a.csv",
        line=range(2, len(posts) + 2),
        label="pro",
        source_id=None,
    )


def outcome(posts, near=0.9):
    kept, drops = drop_copies(posts, near)
    return list(kept["id"]), {drop.id: (drop.reason.value, drop.twin_id) for drop in drops}


def test_copy_in_test_is_kept():
    posts = frame(("en", "train", "Hi there"), ("en", "dev", "hi there"), ("en", "test", "HI there"))
    assert outcome(posts) == (
        ["en-2"],
        {"en-0": ("leak: copy of a test post", "en-2"), "en-1": ("leak: copy of a test post", "en-2")},
    )


def test_copy_in_dev_is_kept_over_train():
    posts = frame(("en", "train", "hi there"), ("en", "dev", "hi there"))
    assert outcome(posts) == (["en-1"], {"en-0": ("leak: copy of a dev post", "en-1")})


@pytest.mark.parametrize("part", ["train", "test", None])
def test_first_copy_within_a_part_is_kept(part):
    posts = frame(("en", part, "hi there"), ("en", part, "hi there"), ("en", part, "something else"))
    assert outcome(posts) == (["en-0", "en-2"], {"en-1": ("duplicate", "en-0")})


def test_comparison_ignores_handles_links_and_case():
    assert comparison_key("RT @user Look http now") == comparison_key("rt look now")
    assert comparison_key("httpd") != comparison_key("d")


def test_link_only_and_handle_only_posts_are_not_copies():
    posts = frame(("en", "train", "http"), ("en", "train", "@user"), ("en", "test", "http"))
    assert outcome(posts)[0] == ["en-1", "en-2"]


def test_same_text_in_two_languages_is_kept_in_both():
    assert outcome(frame(("en", "train", "OK"), ("hu", "test", "OK")))[1] == {}


def test_near_copies_are_dropped_like_exact_copies():
    posts = frame(("en", "train", LONG + "!"), ("en", "test", LONG), ("en", "test", LONG + "?"))
    assert outcome(posts) == (
        ["en-1"],
        {"en-0": ("leak: near-copy of a test post", "en-1"), "en-2": ("near-duplicate", "en-1")},
    )


def test_near_copies_are_kept_without_threshold():
    assert outcome(frame(("en", "train", LONG + "!"), ("en", "test", LONG)), near=None)[1] == {}


def test_every_twin_is_a_kept_post():
    posts = frame(("en", "train", LONG + "!"), ("en", "test", LONG + "?"), ("en", "test", LONG), ("en", "train", LONG))
    kept, drops = outcome(posts)
    assert {twin for _, twin in drops.values()} == set(kept) == {"en-1"}


jaccard_of_sets = near_module._jaccard


def jaccard(one, other):
    one, other = (
        {key[i : i + 5] for i in range(max(len(key) - 5, 0) + 1)} for key in map(comparison_key, (one, other))
    )
    return len(one & other) / len(one | other)


WORDS = st.lists(st.sampled_from(LONG.split()), min_size=1, max_size=12).map(" ".join)


@pytest.mark.slow
@settings(max_examples=50)
@given(st.lists(st.tuples(st.just("en"), st.sampled_from(["train", "dev", "test"]), WORDS), max_size=15))
def test_every_drop_is_within_threshold_of_its_twin(rows):
    posts = frame(*rows)
    kept, drops = drop_copies(posts, 0.6)
    text = posts.set_index("id")["text"]
    assert len(kept) + len(drops) == len(posts)
    assert all(jaccard(text[drop.id], text[drop.twin_id]) >= 0.6 for drop in drops)
    assert kept["text"].map(comparison_key).is_unique


def test_test_sources_are_dropped_from_train_in_all_languages():
    posts = frame(("en", "test", "one"), ("hu", "train", "egy"), ("hu", "train", "kettő"), ("ko", "dev", "하나"))
    posts["source_id"] = ["1", "1", "2", "1"]
    kept, drops = drop_shared_sources(posts)
    assert list(kept["id"]) == ["en-0", "hu-2"]
    assert {drop.reason for drop in drops} == {"leak: same source as a test post"}


def test_comparison_ignores_placeholders_before_other_scripts():
    assert comparison_key("@user\ub2d8 http\uc785\ub2c8\ub2e4") == comparison_key("\ub2d8 \uc785\ub2c8\ub2e4")
    assert comparison_key("\u898b\u3066http\u898b\u3066") == comparison_key("\u898b\u3066 http \u898b\u3066")
    assert comparison_key("@users of https") == "@users of https"


def every_near_copy(posts, near):
    """Drop copies by comparing each post with all kept posts."""
    part = {"test": 0, "dev": 1, "train": 2}
    stays, dropped = [], {}
    for row in sorted(posts.itertuples(), key=lambda row: part[row.split]):
        text = comparison_key(row.text)
        found = [(jaccard(text, other), other, twin) for other, twin in stays if jaccard(text, other) >= near]
        if found:
            best = max(similarity for similarity, _, _ in found)
            dropped[row.id] = min((other, twin) for similarity, other, twin in found if similarity == best)[1]
        else:
            stays.append((text, row.id))
    return dropped


TEMPLATES = st.lists(st.sampled_from(LONG.split()), min_size=3, max_size=3).map(
    lambda words: "i have just signed the petition for {} and for {} so please sign it too, dear {}".format(*words)
)


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.just("en"), st.sampled_from(["train", "dev", "test"]), st.one_of(WORDS, TEMPLATES, st.text())),
        max_size=25,
    ),
    st.sampled_from([0.3, 0.5, 0.6, 0.75, 0.8, 0.9, 0.95, 1.0]),
)
def test_no_near_copy_is_missed(rows, near):
    posts = frame(*rows)
    _, drops = drop_copies(posts, near)
    assert {drop.id: drop.twin_id for drop in drops} == every_near_copy(posts, near)


KINDS = {
    "random": lambda words: " ".join(words[:20]),
    "one word differs": lambda words: f"{LONG} {words[0]}-{words[1]}",
    "three words differ": lambda words: f"{LONG[:90]} dear {words[0]} {words[1]} thanks from {words[2]}",
    "the start differs": lambda words: f"{words[0]} {words[1]} {LONG}",
    "the whole varies a little": lambda words: " ".join(f"{fixed} {word}" for fixed, word in zip(LONG, words)),  # noqa: B905
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
def test_comparisons_grow_linearly_with_posts(kind, monkeypatch):
    compared = []
    monkeypatch.setattr(near_module, "_jaccard", lambda one, other: compared.append(1) or jaccard_of_sets(one, other))

    def comparisons(number):
        generator = np.random.default_rng(1)
        texts = [KINDS[kind]([f"w{word:04}" for word in generator.integers(5000, size=20)]) for _ in range(number)]
        compared.clear()
        drop_copies(frame(*[("en", "train", text) for text in texts]), 0.9)
        return len(compared)

    few, many = comparisons(300), comparisons(600)
    assert many <= 2.5 * few + 600 < 10 * 600
