"""What the values of the data mean: labels, languages and parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from babelgrid.config.fields import canonical_language
from babelgrid.config.posts import Part
from babelgrid.config.prompt import Label
from babelgrid.errors import UserError, nearest
from babelgrid.posts.drops import shown

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

    @cached_property
    def spellings(self) -> dict[str, str]:
        """Every spelling of a label, folded, with the label's name."""
        return {_fold(word): name for name, label in self.labels.items() for word in (name, *label.aliases)}

    @cached_property
    def part_names(self) -> dict[str, str]:
        """Every value of the part column, folded, with train, dev or test."""
        if self.parts is None:
            return COMMON_PARTS
        return {_fold(value): part for part, values in self.parts.items() for value in values}

    def label(self, value: str) -> str | None:
        """Return a label's name, or None if there is none with this spelling."""
        return self.spellings.get(_fold(value))

    def language(self, value: str, where: str) -> str:
        """Return the standard code of a language, by `languages.aliases` first."""
        code = value.strip()
        try:
            return self.aliases[code] if code in self.aliases else standard_code(code)
        except ValueError:
            raise UserError(
                f"{where}: unknown language {shown(code)}. Use a BCP-47 or ISO 639-1 code such as en or hu, "
                f"or explain the data's code in languages.aliases"
            ) from None

    def part(self, value: str, where: str) -> str:
        """Return train, dev or test."""
        try:
            return self.part_names[_fold(value)]
        except KeyError:
            raise UserError(
                f"{where}: unknown part {shown(value)}{nearest(value, self.part_names)}. "
                f"Allowed: {', '.join(self.part_names)}. Say in posts.parts what it means"
            ) from None

    def explain_label(self, value: str) -> str:
        """Say what is wrong with the spelling of a label, and what is allowed."""
        allowed = ", ".join(self.labels)
        suggestion = nearest(_fold(value), self.spellings)
        return f" {shown(value)}{suggestion}. Allowed: {allowed}; another spelling goes into labels.<name>.aliases"


def _fold(value: str) -> str:
    return value.strip().casefold()


@cache
def standard_code(code: str) -> str:
    """Return the standard code of a language, each worked out once; `ValueError` where it is none."""
    return canonical_language(code)
