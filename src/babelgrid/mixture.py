"""Define mixtures, each the training data of one adapter, and what a grid of them needs of the posts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

RIVALS = ("embedding", "encoder")
"""Systems other than the base that learn from a mixture's posts. `embedding.en` is the row of one of them."""


def split_row(name: str) -> tuple[str, str]:
    """Return the system and the mixture in the name of a row: `embedding.en` gives ("embedding", "en").

    The system is "" for rows of the base and of an API. No mixture has a name that begins with a system and a dot.
    """
    system, dot, mixture = name.partition(".")
    return (system, mixture) if dot and system in RIVALS else ("", name)


def is_rival(name: str) -> bool:
    """Return whether a row belongs to a system that is not the base (and not an API)."""
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

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build a mixture from plain builtins, the form in which the workflow passes it to a job."""
        allocation = tuple((language, posts) for language, posts in settings["allocation"])
        return cls(**{**settings, "languages": tuple(settings["languages"]), "allocation": allocation})

    @property
    def is_trained(self) -> bool:
        """Return whether there is an adapter for this mixture."""
        return bool(self.languages)

    @property
    def system(self) -> str:
        """Return the rival that learns from the posts, or "" for the base and APIs."""
        return split_row(self.name)[0]

    @property
    def all_languages(self) -> tuple[str, ...]:
        """Return the languages that an adapter of this mixture is trained on, including the dose."""
        return (*self.languages, self.dose_language) if self.dose_language else self.languages

    def posts_per_language(self, available: dict[str, int], budget: int | None) -> dict[str, int]:
        """Return how many train posts of each language the mixture uses.

        available: number of available train posts by language.
        budget: total posts (divided evenly, earlier languages get the remainder), or None for all available posts.
        """
        if self.allocation:
            return dict(self.allocation)
        if budget is None:
            taken = {language: available[language] for language in self.languages}
        else:
            share, rest = divmod(budget - self.dose, len(self.languages))
            taken = {language: share + (i < rest) for i, language in enumerate(self.languages)}
        return {**taken, self.dose_language: self.dose} if self.dose_language else taken


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
