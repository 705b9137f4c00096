"""Define mixtures, each the training data of one row of the grid, and what a grid of them needs of the posts."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

MERGED = "~"
"""Joins the names of parents in the name of a merged row; no other row's name contains it."""


def is_merged(name: str) -> bool:
    """Return whether a row, by its name, was merged from other rows' adapters without training."""
    return MERGED in name


class Swap(NamedTuple):
    """Numbers of layers in a layer swap."""

    bottom: int
    """Layers at the bottom, next to the input."""
    top: int
    """Layers at the top, next to the output."""
    transition: int
    """Layers averaged at each border between the two adapters."""


@dataclass(frozen=True)
class Merge:
    """How a row is made from adapters of the grid, without training.

    An average, or a layer swap of two parents (Bandarkar et al. 2025, arXiv 2410.01335): bottom and top layers of the
    first parent, middle layers of the second.
    """

    parents: "tuple[Mixture, ...]"
    weights: tuple[float, ...]
    """Weight of each parent's update, with the sum 1. In a layer swap, they apply to the transition layers."""
    swap: Swap | None = None

    @property
    def kind(self) -> str:
        """Return `average` (equal weights), `weighted` or `swap`."""
        if self.swap:
            return "swap"
        return "average" if len(set(self.weights)) == 1 else "weighted"

    def weights_in(self, layer: int, layers: int) -> tuple[float, ...]:
        """Return the weight of each parent's update in a layer, counted from 0 at the bottom, of a base with `layers`.

        A swap without bottom (or top) layers has no transition there.
        """
        if self.swap is None:
            return self.weights
        bottom, top, transition = self.swap
        if layer < bottom or layer >= layers - top:
            return (1.0, 0.0)
        below = bottom > 0 and layer < bottom + transition
        above = top > 0 and layer >= layers - top - transition
        return self.weights if below or above else (0.0, 1.0)


ENCODERS = ("embedding", "encoder")
"""Rivals with an encoder of their own instead of the base."""
TRANSLATED = ("translate_test", "translate_train")
"""Rivals in which the base reads translations: of the test posts, or of the train and test posts."""
RIVALS = (*ENCODERS, *TRANSLATED)
"""Systems other than the base's adapters that learn from a mixture's posts. `embedding.en` is the row of one."""


def split_row(name: str) -> tuple[str, str]:
    """Return the system and the mixture in the name of a row: `embedding.en` gives ("embedding", "en").

    The system is "" for rows of the base and of an API. No mixture has a name that begins with a system and a dot.
    """
    system, dot, mixture = name.partition(".")
    return (system, mixture) if dot and system in RIVALS else ("", name)


def is_rival(name: str) -> bool:
    """Return whether a row belongs to a system other than the base's adapters (and is not an API's)."""
    return split_row(name)[0] != ""


@dataclass(frozen=True)
class Mixture:
    """Languages trained on in full and, optionally, a dose of one more language.

    `none` has no languages: it is the untuned base.
    """

    name: str
    languages: tuple[str, ...] = ()
    dose_language: str | None = None
    dose: int = 0
    allocation: tuple[tuple[str, int], ...] = ()
    """(language, posts) if the mixture has a fixed number of posts of each language."""
    merge: Merge | None = None
    """How the row is merged from other adapters; None if it is trained. Its languages are those of its parents."""

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build a mixture from plain builtins, the form in which the workflow passes it to a job."""
        allocation = tuple((language, posts) for language, posts in settings["allocation"])
        merge = settings.get("merge")
        if merge is not None:
            parents = tuple(map(cls.from_settings, merge["parents"]))
            merge = Merge(parents, tuple(merge["weights"]), merge["swap"] and Swap(*merge["swap"]))
        own = {"languages": tuple(settings["languages"]), "allocation": allocation, "merge": merge}
        return cls(**{**settings, **own})

    def to_settings(self) -> dict[str, Any]:
        """Return the mixture as plain builtins; the key `merge` exists only for merged rows."""
        allocation = [list(part) for part in self.allocation]
        own = {**asdict(self), "languages": list(self.languages), "allocation": allocation}
        del own["merge"]
        if self.merge is None:
            return own
        parents = [parent.to_settings() for parent in self.merge.parents]
        swap = list(self.merge.swap) if self.merge.swap else None
        return {**own, "merge": {"parents": parents, "weights": list(self.merge.weights), "swap": swap}}

    @property
    def is_trained(self) -> bool:
        """Return whether an adapter is trained on this mixture."""
        return self.has_adapter and self.merge is None

    @property
    def trains_base(self) -> bool:
        """Return whether the base is trained for this row: not for other systems, except for `translate_train`."""
        return self.is_trained and self.system in ("", "translate_train")

    @property
    def has_adapter(self) -> bool:
        """Return whether there is an adapter for this mixture, trained or merged."""
        return bool(self.languages)

    @property
    def system(self) -> str:
        """Return the rival that learns from the posts, or "" for the base and APIs."""
        return split_row(self.name)[0]

    @property
    def all_languages(self) -> tuple[str, ...]:
        """Return the languages that an adapter of this mixture (or its parents) is trained on, including the dose."""
        return (*self.languages, self.dose_language) if self.dose_language else self.languages

    def posts_per_language(self, available: dict[str, int], budget: int | None) -> dict[str, int]:
        """Return how many train posts of each language the mixture uses.

        available: number of available train posts by language.
        budget: total posts (divided evenly, earlier languages get the remainder), or None for all available posts.
        A merged row uses the posts of all its parents: each takes the first posts of a language in one order.
        """
        if self.merge:
            counts = [parent.posts_per_language(available, budget) for parent in self.merge.parents]
            return {language: max(own.get(language, 0) for own in counts) for language in self.languages}
        if self.allocation:
            return dict(self.allocation)
        if budget is None:
            taken = {language: available[language] for language in self.languages}
        else:
            share, rest = divmod(budget - self.dose, len(self.languages))
            taken = {language: share + (i < rest) for i, language in enumerate(self.languages)}
        return {**taken, self.dose_language: self.dose} if self.dose_language else taken


def trained_twins(mixtures: Iterable[Mixture]) -> dict[str, str]:
    """Return merged row -> the row that is trained on the same languages in full, where there is one."""
    mixtures = list(mixtures)
    in_full = {frozenset(own.languages): own.name for own in mixtures if own.is_trained and _is_in_full(own)}
    merged = [own for own in mixtures if own.merge and all(map(_is_in_full, own.merge.parents))]
    found = {own.name: in_full.get(frozenset(own.languages)) for own in merged}
    return {name: twin for name, twin in found.items() if twin is not None}


def _is_in_full(mixture: Mixture) -> bool:
    return not mixture.dose_language and not mixture.allocation


@dataclass(frozen=True)
class Translations:
    """Which posts need a translation, and the column that has it."""

    column: str
    pivot: str
    """Language that posts are translated into; its own posts need no translation."""
    train: tuple[str, ...]
    """Languages whose train posts are read in translation."""
    test: tuple[str, ...]
    """Languages whose test posts are read in translation."""


@dataclass(frozen=True)
class Needs:
    """What a whole grid needs of the posts.

    The workflow passes it to jobs as an object. Snakemake compares only plain builtins, so jobs that use it only for
    checks do not rerun when another row of the grid changes.
    """

    train: tuple[str, ...]
    """Languages in at least one mixture."""
    test: tuple[str, ...]
    """Languages that adapters are tested on."""
    labels: tuple[str, ...]
    mixtures: tuple[Mixture, ...]
    budget: int | None
    """Posts in each mixture, or None for all available posts."""
    translations: Translations | None = None
    """Translations that rows read, if there are such rows."""
