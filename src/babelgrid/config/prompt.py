"""Settings of the prompt: the instruction around a post, and the answers to choose from."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from babelgrid.config.fields import Language, OnceAsSpelled, Settings, Text, Whole
from babelgrid.spelling import fold


class Label(Settings):
    """One label: the model's answer for it, and its spellings in the data."""

    answer: Text = Field(min_length=1)
    """Text that follows the prompt if this label is correct, including its leading space if it has one."""
    aliases: Annotated[list[Text], OnceAsSpelled] = Field(default=[])
    """Other spellings in the data. Case, Unicode form, invisible characters and surrounding spaces are ignored."""

    @field_validator("answer")
    @classmethod
    def _check_answer(cls, answer: str) -> str:
        if not fold(answer):
            raise ValueError(f"found {answer!r}: an answer needs at least one visible character")
        return answer


def label_settings(labels: Mapping[str, Label]) -> dict[str, Any]:
    """Return the labels as plain builtins, without the aliases, which affect only how posts are read."""
    return {name: label.model_dump(mode="json", exclude={"aliases"}) for name, label in labels.items()}


def read_labels(settings: Mapping[str, Any]) -> dict[str, Label]:
    """Return the labels of the settings that a job was given."""
    return {name: Label(**label) for name, label in settings.items()}


class Prompt(Settings):
    """The instruction around a post."""

    template: Text | dict[Language, Text] = "{text}\nLabel:"
    """The prompt, containing `{text}` exactly once. One for all languages, or one for each language code."""
    language: Literal["en", "native"] = "en"
    """Template used for a post: the English one, or the one of the post's language."""
    chat_template: bool = False
    """Send the prompt as a user message through the model's own chat template."""
    max_post_tokens: Whole = Field(default=256, ge=1, le=1_000_000)
    """Longer posts are truncated to this many tokens; the instruction is never truncated."""

    @model_validator(mode="after")
    def _hold_the_text_once(self) -> Self:
        templates = self.template if isinstance(self.template, dict) else {"template": self.template}
        for name, template in templates.items():
            if template.count("{text}") != 1:
                raise ValueError(
                    f"{name}: a template must contain {{text}} exactly once; found {template.count('{text}')} times"
                )
        if self.language == "native" and isinstance(self.template, str):
            raise ValueError("language: native needs one template for each language (template: {en: ..., es: ...})")
        if isinstance(self.template, dict) and self.language == "en" and "en" not in self.template:
            raise ValueError("language: en needs a template for en")
        return self

    def template_for(self, language: str) -> str:
        """Return the template for posts in `language`."""
        if isinstance(self.template, str):
            return self.template
        return self.template["en" if self.language == "en" else language]
