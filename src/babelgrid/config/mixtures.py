"""Settings of the mixtures that adapters are trained on."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from babelgrid.config.fields import (
    Language,
    Number,
    Once,
    OnceAsSpelled,
    PathName,
    Settings,
    Text,
    Whole,
    refuse_twice,
)
from babelgrid.mixture import RIVALS
from babelgrid.spelling import fold


def _leave_taken_names(name: str) -> str:
    systems = "|".join(RIVALS)
    if re.fullmatch(rf"none|(all|api)(-.*)?|({systems})\..*", name, re.IGNORECASE):
        others = ", ".join(f"{system}.…" for system in RIVALS)
        raise ValueError(
            f"the name {name!r} is taken (none, all, all-…, api-…, {others} are names of other rows); choose another"
        )
    return name


Languages = Literal["all"] | Annotated[list[Language], Once]
Posts = Annotated[Whole, Field(le=10**9)]
MixtureName = Annotated[PathName, AfterValidator(_leave_taken_names)]
"""The name of a set or an allocation: it becomes a folder, and must differ from the built-in row names."""


class Pairs(Settings):
    """Pairs of every language in `base` with every language in `languages`, each once: `es+en` is `en+es`."""

    base: Annotated[list[Language], Once] = Field(default=["en"], min_length=1)
    """First languages of the pairs."""
    languages: Languages = "all"
    """Second languages of the pairs."""


class Dose(Settings):
    """A full mixture plus increasing numbers of posts in one more language."""

    base: Text
    """Mixture to train on in full: a language, `en+es`, `all`, `all-hu` or the name of a set."""
    add: Annotated[list[Language], Once] = Field(min_length=1)
    """Languages to add, one at a time."""
    sizes: Annotated[list[Posts], Once] = Field(min_length=1)
    """Numbers of posts to add. A larger dose contains the smaller ones; 0 is the base mixture itself."""

    @model_validator(mode="after")
    def _count_from_zero(self) -> Self:
        if min(self.sizes) < 0:
            raise ValueError(f"sizes must be 0 or more; found {min(self.sizes)}")
        return self


class Average(Settings):
    """A row whose update is the weighted average of the updates of other rows' adapters."""

    of: Annotated[list[Text], Once] = Field(min_length=2)
    """Rows whose adapters are averaged, e.g. `[en, hu]` or `[en+es, all-hu]`."""
    weights: list[Annotated[Number, Field(gt=0, le=10**6)]] | None = None
    """Weight of each row, in the same order; they are divided by their sum. Null: equal weights."""

    @model_validator(mode="after")
    def _weigh_each_row(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.of):
            raise ValueError(f"weights: give one for each of {', '.join(self.of)}; found {len(self.weights)}")
        return self


class LayerSwap(Settings):
    """A row with the bottom and top layers of one adapter and the middle layers of another (arXiv 2410.01335)."""

    outer: Text
    """Row whose adapter gives the bottom and top layers, e.g. `hu` (the language expert of the article)."""
    inner: Text
    """Row whose adapter gives the middle layers, e.g. `en` (the task expert of the article)."""
    bottom: Whole = Field(ge=0, le=10_000)
    """Number of layers next to the input that come from `outer`."""
    top: Whole = Field(ge=0, le=10_000)
    """Number of layers next to the output that come from `outer`; an adapted output matrix belongs to the top layer."""
    transition: Whole = Field(default=0, ge=0, le=10_000)
    """Number of layers between them, at each border, in which the two updates are averaged."""

    @model_validator(mode="after")
    def _swap_between_two(self) -> Self:
        if self.outer == self.inner:
            raise ValueError(f"outer and inner are both {self.outer!r}; name two different rows")
        if self.bottom + self.top == 0:
            raise ValueError("bottom and top are both 0, so nothing would be swapped; set at least one")
        return self


class Merged(Settings):
    """Rows that are made without training, from the adapters of other rows with the same seed."""

    pairs: Languages = Field(default=[])
    """Average each pair of these languages' adapters: `en~es`, …; all: every language in `monolingual`."""
    averages: Annotated[list[Average], Once] = Field(default=[])
    """Averages of any rows' adapters: `en~es~hu`, or `0.75en~0.25hu` with weights."""
    swaps: Annotated[list[LayerSwap], Once] = Field(default=[])
    """Layer swaps: `2hu~en~1hu`, from the bottom to the top; with transition layers, `2hu~1~en~1~1hu`."""


class Mixtures(Settings):
    """The rows of the grid, declared by rule instead of listed one by one."""

    none: bool = True
    """Include the untuned base."""
    monolingual: Languages = Field(default=[])
    """One mixture per language: `en`, `hu`, …"""
    pairs: Annotated[list[Pairs], Once] = Field(default=[])
    """Mixtures of two languages: `en+es`, …"""
    sets: Annotated[dict[MixtureName, Annotated[list[Language], Once, Field(min_length=1)]], OnceAsSpelled] = Field(
        default={}
    )
    """Named sets of languages, e.g. `romance: [es, fr, it, pt]`. The name becomes a folder."""
    all: bool = True
    """Include the mixture of all train languages."""
    leave_one_out: Languages = Field(default=[])
    """Mixtures of all train languages except one: `all-hu`, …"""
    doses: Annotated[list[Dose], Once] = Field(default=[])
    """A mixture plus a few posts of another language: `en+hu@25`, …"""
    allocations: Annotated[dict[MixtureName, dict[Language, Posts]], OnceAsSpelled] = Field(default={})
    """Named mixtures with a fixed number of posts per language, e.g. `few: {en: 100, hu: 20}`, whatever the budget."""
    merged: Merged = Merged()
    """Rows made without training, from adapters of the rows above."""
    budget: Literal["natural", "equal"] = "natural"
    """All posts of each language, or equally many posts per mixture, so that language and size are not confounded."""
    posts: Posts | None = Field(default=None, ge=1)
    """With an equal budget: posts per mixture, divided evenly among its languages (a dose is part of the budget)."""

    @model_validator(mode="after")
    def _allocate_posts(self) -> Self:
        for name, posts in self.allocations.items():
            if not posts or min(posts.values()) < 1:
                raise ValueError(f"allocations.{name}: name at least one language, each with at least 1 post")
        return self

    @model_validator(mode="after")
    def _name_sets_and_allocations_apart(self) -> Self:
        refuse_twice([*self.sets, *self.allocations], fold)
        return self

    @model_validator(mode="after")
    def _give_the_budget_a_size(self) -> Self:
        if (self.budget == "equal") != (self.posts is not None):
            raise ValueError("posts can only be used with budget: equal, which requires it")
        return self
