"""Settings of a row of the grid that an API answers."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from babelgrid.config.fields import Language, Number, Once, Settings, Text, Whole
from babelgrid.config.shown import begins_like_key


class Api(Settings):
    """An OpenAI-compatible endpoint, asked the same test posts, as a row of the grid for each number of examples."""

    model: Text
    """The model's name there, e.g. `gpt-4o`."""
    base_url: Text = "https://api.openai.com/v1"
    """Where the endpoint is."""
    key: Text = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key, in capitals. The key itself never stands in a file."""
    shots: Annotated[list[Annotated[Whole, Field(ge=0, le=1000)]], Once] = Field(default=[0], min_length=1)
    """A row for each: so many train posts with their labels stand before the post. 0: none."""
    examples: Literal["own"] | Language = "own"
    """The language of these examples: that of the post (English where that is no train language), or one for all."""
    budget: Number = Field(ge=0, le=1e9)
    """Dollars that all calls together may cost, with those of earlier runs. A call that might pass it is not made."""
    dollars_per_million: list[Annotated[Number, Field(ge=0, le=1e9)]] | None = Field(
        default=None, min_length=2, max_length=2
    )
    """Price of a million prompt tokens and of a million answer tokens. Null: by the list in `cost.prices`."""
    concurrency: Whole = Field(default=8, ge=1, le=1024)
    """Calls at once."""
    attempts: Whole = Field(default=6, ge=1, le=100)
    """How often a call is made in all, where the endpoint is busy, fails or does not answer; the pauses grow."""
    timeout: Number = Field(default=60, gt=0, le=86_400)
    """Seconds to wait for an answer."""
    max_tokens: Whole = Field(default=8, ge=1, le=1_000_000)
    """Tokens that an answer may have."""
    top_logprobs: Whole = Field(default=5, ge=0, le=20)
    """Log-probabilities to ask for, where the endpoint gives any. 0: the label that is said has all probability."""

    @field_validator("base_url")
    @classmethod
    def _name_a_place(cls, url: str) -> str:
        # No error shows the address: a key may stand in it.
        advice = "keys come from the environment (api.key names the variable); the address is not shown here"
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise ValueError(f"holds a user or a password (text before an @); {advice}")
        if "?" in url or "#" in url or ";" in url:
            raise ValueError(f"holds a query, a fragment or parameters (text behind ?, # or ;); {advice}")
        if begins_like_key(url):
            raise ValueError(f"holds what looks like a key; {advice}")
        if not re.fullmatch(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[\x21-\x7e]*)?", url):
            raise ValueError("is no address such as https://api.openai.com/v1")
        if (port := re.match(r"https?://[^/]*:(\d+)(/|$)", url)) and int(port[1]) > 65_535:
            raise ValueError(f"the port {port[1]} is above 65535")
        return url.rstrip("/")

    @field_validator("key")
    @classmethod
    def _name_a_variable(cls, name: str) -> str:
        # A key that was pasted here must not go on to a log, so the error does not repeat it.
        if (
            not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name)
            or begins_like_key(name)
            or len(re.findall(r"\d", name)) > 4
        ):
            raise ValueError(
                "names the environment variable that holds the key, such as OPENAI_API_KEY: capitals, digits and _. "
                "What was found is not shown, in case it is the key itself: never write that into a file"
            )
        return name

    @property
    def what_is_asked(self) -> dict[str, Any]:
        """The settings that an answer depends on, as plain builtins; the others say how it is got."""
        return self.model_dump(include={"model", "base_url", "examples", "max_tokens", "top_logprobs"})

    @property
    def rows(self) -> dict[str, int]:
        """The names of the rows, and how many examples each is given."""
        return {f"api-{shots}shot": shots for shots in self.shots}
