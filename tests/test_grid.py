"""Test properties of the grid: names, nested doses, equal budgets."""

import re
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelgrid.config.load import load_experiment, read_experiment
from babelgrid.errors import UserError
from babelgrid.grid import _by_name, build_grid
from babelgrid.mixture import Mixture

LAB = read_experiment(Path(__file__).parents[1] / "config" / "config.yaml").model_dump(mode="json")
LANGUAGES = LAB["languages"]["train"]


def grid_of(**mixtures):
    return build_grid(load_experiment({**LAB, "mixtures": mixtures}))


def test_every_kind_of_mixture_has_its_name_and_languages():
    grid = grid_of(
        monolingual=["en"],
        pairs=[{"base": ["en"], "languages": ["es"]}],
        sets={"iberian": ["es", "pt"]},
        leave_one_out=["hu"],
        doses=[{"base": "en+es", "add": ["hu"], "sizes": [0, 5]}],
    )
    assert list(grid.mixtures) == ["none", "en", "en+es", "iberian", "all", "all-hu", "en+es+hu@5"]
    assert grid.mixtures["iberian"].languages == ("es", "pt")
    assert grid.mixtures["all-hu"].languages == tuple(language for language in LANGUAGES if language != "hu")
    assert grid.mixtures["en+es+hu@5"].all_languages == ("en", "es", "hu")


def test_untuned_base_has_one_row_and_no_adapter():
    grid = grid_of(monolingual=["en"])
    assert [row for row in grid.rows if row[0] == "none"] == [("none", 0)]
    assert all(name != "none" for name, _ in grid.adapters)


@given(st.lists(st.integers(0, 500), min_size=1, max_size=6, unique=True))
def test_dose_of_zero_is_the_base_mixture(sizes):
    names = list(grid_of(none=False, all=False, doses=[{"base": "en", "add": ["hu"], "sizes": sizes}]).mixtures)
    assert names == ["en" if size == 0 else f"en+hu@{size}" for size in sorted(sizes)]


@given(st.lists(st.sampled_from(LANGUAGES), min_size=1, unique=True), st.integers(20, 1000), st.integers(0, 19))
def test_equal_budgets_give_equally_many_posts(languages, budget, dose):
    available = dict.fromkeys(LANGUAGES, 10_000)
    plain = Mixture("plain", tuple(languages)).posts_per_language(available, budget)
    dosed = Mixture("dosed", tuple(languages), "sv", dose).posts_per_language(available, budget)
    assert sum(plain.values()) == sum(dosed.values()) == budget
    assert max(plain.values()) - min(plain.values()) <= 1
    assert dosed["sv"] == dose


def test_allocation_ignores_the_budget():
    grid = grid_of(none=False, all=False, allocations={"few": {"en": 100, "hu": 20}})
    few = grid.mixtures["few"]
    assert Mixture.from_settings({**asdict(few), "allocation": [["en", 100], ["hu", 20]]}) == few
    assert few.all_languages == ("en", "hu")
    for budget in (None, 390):
        assert few.posts_per_language({"en": 400, "hu": 400}, budget) == {"en": 100, "hu": 20}


def test_natural_budget_uses_all_posts():
    mixture = Mixture("en+hu@5", ("en",), "hu", 5)
    assert mixture.posts_per_language({"en": 77, "hu": 50}, None) == {"en": 77, "hu": 5}


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True))
def test_every_seed_has_its_own_row(seeds):
    grid = build_grid(load_experiment({**LAB, "seeds": seeds}))
    trained = [name for name in grid.mixtures if name != "none"]
    assert grid.adapters == [(name, seed) for name in trained for seed in seeds]


@pytest.mark.parametrize("code", ["all", "all-Latn", "all-HU"])
@pytest.mark.parametrize("key", ["train", "test"])
def test_language_with_the_name_of_a_mixture_is_refused(code, key):
    languages = {"train": ["en", "hu"], "test": ["en"], key: ["en", code]}
    with pytest.raises(UserError, match=f"languages.{key}: '{code}' is the name of a mixture") as refusal:
        build_grid(load_experiment({**LAB, "languages": languages, "mixtures": {}}))
    private = f"x-{code.lower()}"
    advised = {**languages, key: ["en", private], "aliases": {code: private}}
    assert f"{{{key}: [{private}], aliases: {{{code}: {private}}}}}" in str(refusal.value)
    assert build_grid(load_experiment({**LAB, "languages": advised, "mixtures": {}}))


@pytest.mark.parametrize(
    ("mixtures", "named"),
    [
        ({"sets": {"ko": ["en", "es"]}}, "'ko' is taken"),
        ({"allocations": {"ko": {"en": 5}}}, "'ko' is taken"),
        ({"sets": {"few": ["en", "es"]}, "allocations": {"few": {"en": 5}}}, "'few' is given twice"),
        ({"sets": {"none": ["en"]}}, "'none' is taken"),
        ({"sets": {"all": ["en"]}}, "'all' is taken"),
        ({"sets": {"api-0shot": ["en"]}}, "'api-0shot' is taken"),
        ({"sets": {"few": ["en"], "Few": ["es"]}}, "'few' and 'Few' count as the same"),
        ({"monolingual": ["en"], "sets": {"EN": ["es", "hu"]}}, "the name 'EN' is taken by a language"),
        ({"sets": {"few": ["en", "en"]}}, "'en' is given twice"),
        ({"doses": [{"base": "en+en", "add": ["hu"], "sizes": [5]}]}, "'en' is given twice"),
    ],
)
def test_duplicate_declarations_are_rejected(mixtures, named):
    languages = {"train": ["en", "es", "hu"], "test": ["en", "ko"]}
    with pytest.raises(UserError, match=named):
        build_grid(load_experiment({**LAB, "languages": languages, "mixtures": mixtures}))


@given(st.data())
def test_names_of_mixtures_are_unique(data):
    """No two declared mixtures have the same name, even on file systems that ignore case."""
    some = st.lists(st.sampled_from(LANGUAGES), min_size=1, max_size=3, unique=True)
    mixtures = {
        "monolingual": data.draw(some),
        "pairs": [{"base": data.draw(some), "languages": data.draw(some)}],
        "sets": {name: data.draw(some) for name in data.draw(st.lists(st.sampled_from(["a", "b_1"]), unique=True))},
        "leave_one_out": data.draw(some),
        "doses": [{"base": data.draw(st.sampled_from(["all-hu", "all-en"])), "add": ["hu"], "sizes": [0, 3]}],
    }
    try:
        grid = build_grid(load_experiment({**LAB, "mixtures": mixtures}))
    except UserError as error:
        assert re.search("already in the base mixture|made of the same posts", str(error))  # noqa: PT017
        return
    assert len({name.casefold() for name in grid.mixtures}) == len(grid.mixtures)
    assert all(name == mixture.name for name, mixture in grid.mixtures.items())
    assert len(set(grid.mixtures.values())) == len(grid.mixtures)


def test_rows_with_the_same_name_must_be_equal():
    english = Mixture("en", ("en",))
    assert _by_name([english, Mixture("en", ("en",))]) == {"en": english}
    for other, named in ((Mixture("en", ("es",)), "'en'"), (Mixture("EN", ("en",)), "'en' and 'EN'")):
        with pytest.raises(UserError, match=f"two different rows would be called {named},"):
            _by_name([english, other])
