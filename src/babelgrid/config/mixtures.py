"""Settings of the mixtures: what the adapters are trained on."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from babelgrid.config.fields import Language, Once, OnceAsSpelled, PathName, Settings, Text, Whole, refuse_twice
from babelgrid.spelling import fold


def _leave_taken_names(name: str) -> str:
    if re.fullmatch(r"none|(all|api)(-.*)?", name, re.IGNORECASE):
        raise ValueError(f"the name {name!r} is taken (none, all, all-…, api-… are rows of their own); choose another")
    return name


Languages = Literal["all"] | Annotated[list[Language], Once]
Posts = Annotated[Whole, Field(le=10**9)]
MixtureName = Annotated[PathName, AfterValidator(_leave_taken_names)]
"""The name of a set or an allocation: a folder, and apart from the names that rows have by themselves."""


class Pairs(Settings):
    """Every language of `base` with every language of `languages`, each pair once: `es+en` is `en+es`."""

    base: Annotated[list[Language], Once] = Field(default=["en"], min_length=1)
    """The first languages of the pairs."""
    languages: Languages = "all"
    """The second languages of the pairs."""


class Dose(Settings):
    """A mixture in full, with growing numbers of posts of one more language."""

    base: Text
    """What is trained on in full: a language, `en+es`, `all`, `all-hu` or the name of a set."""
    add: Annotated[list[Language], Once] = Field(min_length=1)
    """The languages that are added, one at a time."""
    sizes: Annotated[list[Posts], Once] = Field(min_length=1)
    """How many posts are added. A larger dose contains the smaller; 0 is the base mixture itself."""

    @model_validator(mode="after")
    def _count_from_zero(self) -> Self:
        if min(self.sizes) < 0:
            raise ValueError(f"sizes must be 0 or more; found {min(self.sizes)}")
        return self


class Mixtures(Settings):
    """The rows of the grid, declared and not listed by hand."""

    none: bool = True
    """The untuned base."""
    monolingual: Languages = Field(default=[])
    """One mixture for each language: `en`, `hu`, …"""
    pairs: Annotated[list[Pairs], Once] = Field(default=[])
    """Two languages at a time: `en+es`, …"""
    sets: Annotated[dict[MixtureName, Annotated[list[Language], Once, Field(min_length=1)]], OnceAsSpelled] = Field(
        default={}
    )
    """Named sets of languages, e.g. `romance: [es, fr, it, pt]`. The name becomes a folder."""
    all: bool = True
    """Every train language together."""
    leave_one_out: Languages = Field(default=[])
    """Every train language but one: `all-hu`, …"""
    doses: Annotated[list[Dose], Once] = Field(default=[])
    """A mixture plus a few posts of another language: `en+hu@25`, …"""
    allocations: Annotated[dict[MixtureName, dict[Language, Posts]], OnceAsSpelled] = Field(default={})
    """Named mixtures of so many posts of each language, e.g. `few: {en: 100, hu: 20}`; no budget changes them."""
    budget: Literal["natural", "equal"] = "natural"
    """All posts of each language; or as many posts for every mixture, so that language and size are not confounded."""
    posts: Posts | None = Field(default=None, ge=1)
    """With an equal budget: posts per mixture, divided evenly between its languages (a dose counts within it)."""

    @model_validator(mode="after")
    def _allocate_posts(self) -> Self:
        for name, posts in self.allocations.items():
            if not posts or min(posts.values()) < 1:
                raise ValueError(f"allocations.{name}: name at least one language, each with 1 post or more")
        return self

    @model_validator(mode="after")
    def _name_sets_and_allocations_apart(self) -> Self:
        refuse_twice([*self.sets, *self.allocations], fold)
        return self

    @model_validator(mode="after")
    def _give_the_budget_a_size(self) -> Self:
        if (self.budget == "equal") != (self.posts is not None):
            raise ValueError("posts goes with budget: equal, and budget: equal needs posts")
        return self
