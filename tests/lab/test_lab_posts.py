from collections import Counter
from itertools import combinations

import pandas as pd
import pytest

from babelgrid.config.base import LAB_LANGUAGES
from babelgrid.config.posts import LabPosts
from babelgrid.errors import UserError
from babelgrid.lab import posts as lab_posts
from babelgrid.lab.lexicon import load_lexicons
from babelgrid.lab.posts import write_lab_posts

SETTINGS = LabPosts(train=60, dev=13, test=40)


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    path = tmp_path_factory.mktemp("posts") / "posts.csv"
    write_lab_posts(SETTINGS, seed=3, out=path)
    return pd.read_csv(path)


def test_every_language_has_the_requested_posts(posts):
    assert list(posts.columns) == ["id", "language", "part", "text", "label"]
    counts = posts.groupby(["language", "part"]).size().to_dict()
    assert counts == {
        (lang, part): getattr(SETTINGS, part) for lang in LAB_LANGUAGES for part in ("train", "dev", "test")
    }
    assert not posts.duplicated(["language", "id"]).any()


@pytest.mark.slow
def test_half_the_posts_are_related_with_even_stances(posts):
    for (_, part), group in posts.groupby(["language", "part"]):
        counts = Counter(group.label)
        stances = [counts[name] for name in ("pro", "anti", "neutral")]
        assert sum(stances) == round(getattr(SETTINGS, part) / 2)
        assert max(stances) - min(stances) <= 1


def test_unrelated_posts_are_even_over_domains(tmp_path, monkeypatch):
    drawn = Counter()
    draw = lab_posts.draw_content
    monkeypatch.setattr(
        lab_posts, "draw_content", lambda rng, theme, *rest: drawn.update([theme]) or draw(rng, theme, *rest)
    )
    write_lab_posts(LabPosts(train=20, dev=0, test=20), 0, tmp_path / "posts.csv")
    domains = load_lexicons()["en"].domains
    assert {drawn[name] for name in domains} == {2 * len(LAB_LANGUAGES)}


def test_texts_are_unique_within_a_language(posts):
    assert not posts.duplicated(["language", "text"]).any()


def test_labels_are_shuffled(posts):
    english = posts[(posts.language == "en") & (posts.part == "train")]
    assert english.label.iloc[:20].nunique() == 4


def test_languages_are_drawn_independently(posts):
    by_language = {lang: list(group.label) for lang, group in posts[posts.part == "train"].groupby("language")}
    assert all(a != b for a, b in combinations(by_language.values(), 2))


def test_seed_determines_the_posts(tmp_path):
    settings = LabPosts(train=5, dev=0, test=5)
    first, again, other = (tmp_path / name for name in ("first.csv", "again.csv", "other.csv"))
    write_lab_posts(settings, 1, first)
    write_lab_posts(settings, 1, again)
    write_lab_posts(settings, 2, other)
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_more_train_posts_do_not_change_test_posts(posts, tmp_path):
    path = tmp_path / "posts.csv"
    write_lab_posts(SETTINGS.model_copy(update={"train": 90}), 3, path)
    more = pd.read_csv(path)
    pd.testing.assert_frame_equal(
        posts[posts.part == "test"].reset_index(drop=True), more[more.part == "test"].reset_index(drop=True)
    )


@pytest.mark.slow
def test_one_language_can_have_twenty_thousand_posts(tmp_path, monkeypatch):
    monkeypatch.setattr(lab_posts, "load_lexicons", lambda: {"ko": load_lexicons()["ko"]})
    path = tmp_path / "posts.csv"
    write_lab_posts(LabPosts(train=19_000, dev=0, test=1_000), 0, path)
    assert pd.read_csv(path).text.nunique() == 20_000


def test_too_many_posts_are_one_error(tmp_path, monkeypatch):
    monkeypatch.setattr(lab_posts, "load_lexicons", lambda: {"hu": load_lexicons()["hu"]})
    monkeypatch.setattr(lab_posts, "PATIENCE", 1)
    with pytest.raises(UserError, match=r"no more contents .* Use fewer posts"):
        write_lab_posts(LabPosts(train=5_000, dev=0, test=1), 0, tmp_path / "posts.csv")
    assert not list(tmp_path.iterdir())


def test_near_duplicates_are_rare(posts):
    """The posts stage drops posts whose 5-grams have a Jaccard similarity of 0.9; nearly all posts must remain."""
    for language in ("en", "ko", "hi"):
        grams = [{t[i : i + 5] for i in range(len(t) - 4)} for t in posts[posts.language == language].text]
        twins = sum(len(a & b) >= 0.9 * len(a | b) for a, b in combinations(grams, 2))
        assert twins <= 0.02 * len(grams)
