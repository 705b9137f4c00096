"""Settings of the prompt: the words around a post and the answers to choose from."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from babelgrid.config.fields import Language, OnceAsSpelled, Settings, Text, Whole
from babelgrid.spelling import fold


class Label(Settings):
    """One label: how the model says it, and how the data may spell it."""

    answer: Text = Field(min_length=1)
    """The words that follow the prompt when this label is right, with their leading space if there is one."""
    aliases: Annotated[list[Text], OnceAsSpelled] = Field(default=[])
    """Other spellings in the data. Case, Unicode form, invisible characters and outer spaces never matter."""

    @field_validator("answer")
    @classmethod
    def _say_something(cls, answer: str) -> str:
        if not fold(answer):
            raise ValueError(f"found {answer!r}: an answer holds at least one visible character")
        return answer


def read_labels(settings: Mapping[str, Any]) -> dict[str, Label]:
    """Return the labels of the settings that a job was given."""
    return {name: Label(**label) for name, label in settings.items()}


class Prompt(Settings):
    """The instruction around a post."""

    template: Text | dict[Language, Text] = "{text}\nLabel:"
    """The prompt, with `{text}` once, anywhere. One for all languages, or one for each language code."""
    language: Literal["en", "native"] = "en"
    """Which template a post meets: the English one, or that of its own language."""
    chat_template: bool = False
    """Send the prompt as a user message through the model's own chat template."""
    max_post_tokens: Whole = Field(default=256, ge=1, le=1_000_000)
    """Longer posts are cut to this many tokens; the instruction never is."""

    @model_validator(mode="after")
    def _hold_the_text_once(self) -> Self:
        templates = self.template if isinstance(self.template, dict) else {"template": self.template}
        for name, template in templates.items():
            if template.count("{text}") != 1:
                raise ValueError(
                    f"{name}: a template holds {{text}} exactly once; found {template.count('{text}')} times"
                )
        if self.language == "native" and isinstance(self.template, str):
            raise ValueError("language: native needs one template for each language (template: {en: ..., es: ...})")
        if isinstance(self.template, dict) and self.language == "en" and "en" not in self.template:
            raise ValueError("language: en needs a template for en")
        return self

    def template_for(self, language: str) -> str:
        """Return the template that a post in `language` meets."""
        if isinstance(self.template, str):
            return self.template
        return self.template["en" if self.language == "en" else language]
