"""Settings of a row of the grid that an API answers."""

from typing import Any, Literal, Self
from urllib.parse import urlparse

from pydantic import Field, field_validator, model_validator

from babelgrid.config.fields import Language, Settings, Text


class Api(Settings):
    """An OpenAI-compatible endpoint, asked the same test posts, as a row of the grid for each number of examples."""

    model: Text
    """The model's name there, e.g. `gpt-4o`."""
    base_url: Text = "https://api.openai.com/v1"
    """Where the endpoint is."""
    key: Text = Field(default="OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the key. The key itself never stands in a file."""
    shots: list[int] = Field(default=[0], min_length=1)
    """A row for each: so many train posts with their labels stand before the post. 0: none."""
    examples: Literal["own"] | Language = "own"
    """The language of these examples: that of the post (English where that is no train language), or one for all."""
    budget: float = Field(ge=0)
    """Dollars that all calls together may cost, with those of earlier runs. A call that might pass it is not made."""
    dollars_per_million: list[float] | None = Field(default=None, min_length=2, max_length=2)
    """Price of a million prompt tokens and of a million answer tokens. Null: by the list in `cost.prices`."""
    concurrency: int = Field(default=8, ge=1)
    """Calls at once."""
    attempts: int = Field(default=6, ge=1)
    """How often a call is made in all, where the endpoint is busy, fails or does not answer; the pauses grow."""
    timeout: float = Field(default=60, gt=0)
    """Seconds to wait for an answer."""
    max_tokens: int = Field(default=8, ge=1)
    """Tokens that an answer may have."""
    top_logprobs: int = Field(default=5, ge=0, le=20)
    """Log-probabilities to ask for, where the endpoint gives any. 0: the label that is said has all probability."""

    @field_validator("base_url")
    @classmethod
    def _name_a_place(cls, url: str) -> str:
        parts = urlparse(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{url!r} is no address such as https://api.openai.com/v1")
        if parts.username or parts.password:
            raise ValueError("holds a password; keys come from the environment (api.key names the variable)")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _ask_each_row_once(self) -> Self:
        if len(set(self.shots)) != len(self.shots) or min(self.shots) < 0:
            raise ValueError(f"shots are different numbers from 0 on; found {self.shots}")
        if self.dollars_per_million and min(self.dollars_per_million) < 0:
            raise ValueError("dollars_per_million are two numbers from 0 on")
        return self

    @property
    def what_is_asked(self) -> dict[str, Any]:
        """The settings that an answer depends on, as plain builtins; the others say how it is got."""
        return self.model_dump(include={"model", "base_url", "examples", "max_tokens", "top_logprobs"})

    @property
    def rows(self) -> dict[str, int]:
        """The names of the rows, and how many examples each is given."""
        return {f"api-{shots}shot": shots for shots in self.shots}
