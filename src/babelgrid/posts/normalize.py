"""What the values of the data mean: labels, languages and parts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from babelgrid.config.fields import canonical_language
from babelgrid.config.posts import Part
from babelgrid.config.prompt import Label
from babelgrid.errors import nearest
from babelgrid.posts.rejects import shown
from babelgrid.spelling import fold

COMMON_PARTS = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "development": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Meanings:
    """What the values of the data mean: labels, languages and parts."""

    labels: Mapping[str, Label]
    aliases: Mapping[str, str]
    parts: Mapping[Part, list[str]] | None
    left_out: Collection[str] = ()
    """Values of the part column whose rows are not read."""

    @cached_property
    def spellings(self) -> dict[str, str]:
        """Every spelling of a label, folded, with the label's name."""
        return {fold(word): name for name, label in self.labels.items() for word in (name, *label.aliases)}

    @cached_property
    def codes(self) -> dict[str, str]:
        """The data's own codes of languages, folded, with the standard ones."""
        return {fold(code): language for code, language in self.aliases.items()}

    @cached_property
    def part_names(self) -> dict[str, str]:
        """Every value of the part column, folded, with train, dev or test."""
        if self.parts is None:
            return COMMON_PARTS
        return {fold(value): part for part, values in self.parts.items() for value in values}

    def label(self, value: str) -> str | None:
        """Return a label's name, or None if there is none with this spelling."""
        return self.spellings.get(fold(value))

    def language(self, value: str) -> str | None:
        """Return the standard code of a language, by `languages.aliases` first, or None if it is none."""
        try:
            return language_code(value, self.codes)
        except ValueError:
            return None

    def part(self, value: str) -> str | None:
        """Return train, dev or test, or None if the value means none of them."""
        return self.part_names.get(fold(value))

    def is_left_out(self, part: str) -> bool:
        """Whether rows of this part are not read."""
        return fold(part) in {fold(name) for name in self.left_out}

    def explain_language(self, value: str) -> str:
        """Say what is wrong with the code of a language, and what is allowed."""
        return (
            f" {shown(value.strip())}. Use a BCP-47 or ISO 639-1 code such as en or hu, or explain the data's code in "
            f"languages.aliases"
        )

    def explain_part(self, value: str) -> str:
        """Say what is wrong with the name of a part, and what is allowed."""
        return (
            f" {shown(value)}{nearest(value, self.part_names)}. Allowed: {', '.join(self.part_names)}. Say in "
            f"posts.parts what it means, or in posts.leave_out that it is not read"
        )

    def explain_label(self, value: str) -> str:
        """Say what is wrong with the spelling of a label, and what is allowed."""
        allowed = ", ".join(self.labels)
        suggestion = nearest(fold(value), self.spellings)
        return f" {shown(value)}{suggestion}. Allowed: {allowed}; another spelling goes into labels.<name>.aliases"


def language_code(value: str, codes: Mapping[str, str]) -> str:
    """Return the standard code of a language as the data spells it, or `ValueError` where it is none.

    codes: the data's own codes, folded, with the standard ones.
    """
    code = fold(value)
    return codes[code] if code in codes else standard_code(code)


@cache
def standard_code(code: str) -> str:
    """Return the standard code of a language, each worked out once; `ValueError` where it is none."""
    return canonical_language(code)
