"""Test properties of the grid: names, nested doses, equal budgets."""

import json
import re
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelgrid.config.load import load_experiment, read_experiment
from babelgrid.errors import UserError
from babelgrid.grid import _by_name, build_grid
from babelgrid.mixture import Merge, Mixture, is_merged

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


@pytest.mark.slow
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


THREE = ["en", "es", "hu"]


def merged_of(monolingual=THREE, **merged):
    return grid_of(none=True, all=False, monolingual=monolingual, merged=merged)


def test_merged_rows_are_named_by_their_parents():
    grid = merged_of(
        pairs=["hu", "en"],
        averages=[{"of": ["en", "hu"], "weights": [3, 1]}, {"of": THREE}],
        swaps=[
            {"outer": "hu", "inner": "en", "bottom": 2, "top": 1},
            {"outer": "hu", "inner": "en", "bottom": 5, "top": 2, "transition": 1},
            {"outer": "hu", "inner": "es", "bottom": 0, "top": 1},
        ],
    )
    names = ["hu~en", "0.75en~0.25hu", "en~es~hu", "2hu~en~1hu", "5hu~1~en~1~2hu", "es~1hu"]
    assert [name for name in grid.mixtures if is_merged(name)] == names
    assert grid.merged == [(name, seed) for name in names for seed in grid.seeds]
    assert [name for name, _ in grid.adapters] == [name for name in THREE for _ in grid.seeds]
    assert grid.mixtures["0.75en~0.25hu"].merge.weights == (0.75, 0.25)
    assert grid.mixtures["hu~en"].languages == ("hu", "en")


def test_thirteen_languages_have_78_merged_pairs():
    grid = merged_of(monolingual="all", pairs="all")
    pairs = {mixture.all_languages for mixture in grid.mixtures.values() if mixture.merge}
    assert len(LANGUAGES) == 13
    assert len(grid.merged) == 78 * len(grid.seeds)
    assert {frozenset(pair) for pair in pairs} == {frozenset(pair) for pair in combinations(LANGUAGES, 2)}


def test_merged_row_is_passed_to_jobs_as_plain_builtins():
    for mixture in merged_of(
        pairs="all", swaps=[{"outer": "hu", "inner": "en", "bottom": 1, "top": 1}]
    ).mixtures.values():
        settings = mixture.to_settings()
        assert Mixture.from_settings(json.loads(json.dumps(settings))) == mixture
        assert ("merge" in settings) == is_merged(mixture.name)


def test_merged_row_has_the_posts_of_its_parents():
    """With an equal budget, each parent has the whole budget; parents share the first posts of a language."""
    en, dosed = Mixture("en", ("en",)), Mixture("en+hu@5", ("en",), "hu", 5)
    mixture = Mixture("en~en+hu@5", ("en", "hu"), merge=Merge((en, dosed), (0.5, 0.5)))
    assert mixture.posts_per_language({"en": 90, "hu": 90}, 40) == {"en": 40, "hu": 5}
    assert mixture.posts_per_language({"en": 90, "hu": 90}, None) == {"en": 90, "hu": 5}
    assert not mixture.is_trained
    assert mixture.has_adapter


@pytest.mark.parametrize(
    ("merged", "words"),
    [
        (
            {"pairs": ["en", "ko"]},
            "merged.pairs: the grid has no trained adapter 'ko'; add 'ko' to mixtures.monolingual",
        ),
        ({"averages": [{"of": ["en", "en+es"]}]}, "merged.averages.of: .*'en.es'.*; declare the row under mixtures"),
        ({"averages": [{"of": ["en", "none"]}]}, "no trained adapter 'none'; name rows that are trained"),
        ({"pairs": "all", "averages": [{"of": ["en~es", "hu"]}]}, "'en~es'.*; name rows that are trained"),
        ({"swaps": [{"outer": "hi", "inner": "en", "bottom": 1, "top": 1}]}, "merged.swaps.outer: .*'hi'"),
        ({"pairs": ["en"]}, "needs at least two languages"),
        ({"pairs": ["en", "sv"]}, "merged.pairs: 'sv' is not in languages.train"),
        ({"pairs": "all", "averages": [{"of": ["es", "en"]}]}, "'en~es' and 'es~en' are made of the same adapters"),
        ({"averages": [{"of": ["en", "es"], "weights": [1]}]}, "weights: give one for each of en, es; found 1"),
        ({"averages": [{"of": ["en", "es"], "weights": [1, 0]}]}, "greater than 0"),
        ({"averages": [{"of": ["en"]}]}, "at least 2 items"),
        ({"swaps": [{"outer": "en", "inner": "en", "bottom": 1, "top": 1}]}, "outer and inner are both 'en'"),
        ({"swaps": [{"outer": "en", "inner": "es", "bottom": 0, "top": 0}]}, "nothing would be swapped"),
    ],
)
def test_mistakes_in_merged_rows_are_explained(merged, words):
    with pytest.raises(UserError, match=words):
        merged_of(**merged)
