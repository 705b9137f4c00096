"""Map the values in the data to labels, languages and parts."""

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
    """Mappings from the values in the data to labels, languages and parts."""

    labels: Mapping[str, Label]
    aliases: Mapping[str, str]
    parts: Mapping[Part, list[str]] | None
    left_out: Collection[str] = ()
    """Values of the part column whose rows are not read."""

    @cached_property
    def spellings(self) -> dict[str, str]:
        """Map every folded spelling of a label to the label's name."""
        return {fold(word): name for name, label in self.labels.items() for word in (name, *label.aliases)}

    @cached_property
    def codes(self) -> dict[str, str]:
        """Map the data's own language codes, folded, to standard codes."""
        return {fold(code): language for code, language in self.aliases.items()}

    @cached_property
    def part_names(self) -> dict[str, str]:
        """Map every folded value of the part column to train, dev or test."""
        if self.parts is None:
            return COMMON_PARTS
        return {fold(value): part for part, values in self.parts.items() for value in values}

    def label(self, value: str) -> str | None:
        """Return the name of the label with this spelling, or None if the spelling is unknown."""
        return self.spellings.get(fold(value))

    def language(self, value: str) -> str | None:
        """Return the standard code of a language (`languages.aliases` come first), or None if it is unknown."""
        try:
            return language_code(value, self.codes)
        except ValueError:
            return None

    def part(self, value: str) -> str | None:
        """Return train, dev or test, or None if the value is unknown."""
        return self.part_names.get(fold(value))

    def is_left_out(self, part: str) -> bool:
        """Return whether rows of this part are skipped."""
        return fold(part) in {fold(name) for name in self.left_out}

    def explain_language(self, value: str) -> str:
        """Return a message on an unknown language code, with the allowed codes."""
        return (
            f" {shown(value.strip())}. Use a BCP-47 or ISO 639-1 code such as en or hu, or map the data's code to one "
            f"in languages.aliases"
        )

    def explain_part(self, value: str) -> str:
        """Return a message on an unknown part, with the allowed values."""
        return (
            f" {shown(value)}{nearest(value, self.part_names)}. Allowed: {', '.join(self.part_names)}. Map it to a "
            f"part in posts.parts, or skip its rows with posts.leave_out"
        )

    def explain_label(self, value: str) -> str:
        """Return a message on an unknown label, with the allowed labels."""
        allowed = ", ".join(self.labels)
        suggestion = nearest(fold(value), self.spellings)
        return f" {shown(value)}{suggestion}. Allowed: {allowed}; add other spellings to labels.<name>.aliases"


def language_code(value: str, codes: Mapping[str, str]) -> str:
    """Return the standard code of a language code in the data; `ValueError` if it is not a language.

    codes: the data's own codes, folded -> standard codes.
    """
    code = fold(value)
    return codes[code] if code in codes else standard_code(code)


@cache
def standard_code(code: str) -> str:
    """Return the standard code of a language (cached); `ValueError` if it is not a language."""
    return canonical_language(code)
