from collections import Counter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelgrid.errors import UserError
from babelgrid.mixture import Mixture
from babelgrid.posts.sample import sample_posts

LABELS = ["pro", "anti", "neutral"]


def posts_of(language, labels):
    ids = [f"{language}-{i}" for i in range(len(labels))]
    return pd.DataFrame({"id": ids, "text": [f"text of {i}" for i in ids], "label": labels, "split": "train"})


def dose(size):
    return Mixture(f"en+hu@{size}", ("en",), "hu", size)


SOME = st.lists(st.sampled_from(LABELS), min_size=1, max_size=40)


@pytest.mark.slow
@given(SOME, st.integers(0, 3), st.data())
def test_larger_dose_contains_smaller(labels, seed, data):
    small, large = sorted(data.draw(st.tuples(*[st.integers(1, len(labels))] * 2)))
    train = {"en": posts_of("en", LABELS), "hu": posts_of("hu", labels)}
    first, second = (list(sample_posts(train, dose(size), seed, None)["id"]) for size in (small, large))
    assert second[: len(first)] == first
    assert len(second) == len(LABELS) + large


@pytest.mark.slow
@given(SOME, st.integers(0, 3), st.data())
def test_every_prefix_keeps_label_proportions(labels, seed, data):
    size = data.draw(st.integers(1, len(labels)))
    train = {"en": posts_of("en", LABELS), "hu": posts_of("hu", labels)}
    taken = sample_posts(train, dose(size), seed, None)
    counts = Counter(taken.loc[taken["language"] == "hu", "label"])
    for label in set(labels):
        assert abs(counts[label] - labels.count(label) * size / len(labels)) < 2


@pytest.mark.slow
@given(SOME, st.randoms())
def test_sample_ignores_other_languages_and_row_order(labels, random):
    train = {"en": posts_of("en", LABELS * 9), "hu": posts_of("hu", labels), "ko": posts_of("ko", LABELS)}
    shuffled = {name: frame.sample(frac=1, random_state=random.randrange(99)) for name, frame in train.items()}
    alone = sample_posts({"hu": train["hu"]}, Mixture("hu", ("hu",)), 1, None)
    together = sample_posts(shuffled, Mixture("all", ("en", "hu", "ko")), 1, None)
    assert list(together.loc[together["language"] == "hu", "id"]) == list(alone["id"])


def test_budget_is_divided_evenly_and_sampled_by_seed():
    train = {"en": posts_of("en", LABELS * 30), "hu": posts_of("hu", LABELS * 30)}
    mixture = Mixture("en+hu", ("en", "hu"))
    taken = [sample_posts(train, mixture, seed, 31) for seed in (0, 0, 1)]
    assert Counter(taken[0]["language"]) == {"en": 16, "hu": 15}
    assert list(taken[0].columns) == ["id", "language", "text", "label"]
    assert taken[0].equals(taken[1])
    assert set(taken[0]["id"]) != set(taken[2]["id"])


def test_too_few_posts_error_gives_available_number():
    train = {"en": posts_of("en", LABELS), "hu": posts_of("hu", LABELS)}
    with pytest.raises(UserError, match=r"'en\+hu@4': asks for 4 train posts in 'hu', but the data has 3"):
        sample_posts(train, dose(4), 0, None)
    with pytest.raises(UserError, match=r"asks for 5 train posts in 'en'"):
        sample_posts(train, Mixture("en", ("en",)), 0, 5)
    with pytest.raises(UserError, match="larger than the budget of 2"):
        sample_posts(train, dose(3), 0, 2)


def test_test_posts_are_never_sampled():
    posts = posts_of("en", LABELS).assign(split=["train", "test", "train"])
    with pytest.raises(ValueError, match="train posts only"):
        sample_posts({"en": posts}, Mixture("en", ("en",)), 0, None)


def test_untuned_base_takes_no_posts():
    assert len(sample_posts({}, Mixture("none"), 0, None)) == 0
