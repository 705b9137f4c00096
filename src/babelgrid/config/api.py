"""Settings of the rows of the grid that an API answers."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from babelgrid.config.fields import Language, Number, Once, Settings, Text, Whole
from babelgrid.config.shown import begins_like_key


class Api(Settings):
    """An OpenAI-compatible endpoint that answers the same test posts: one row of the grid per number of examples."""

    model: Text
    """Name of the model at the endpoint, e.g. `gpt-4o`."""
    base_url: Text = "https://api.openai.com/v1"
    """URL of the endpoint."""
    key: Text = "OPENAI_API_KEY"
    """Name of the environment variable that contains the key, in capitals. Never write the key itself to a file."""
    shots: Annotated[list[Annotated[Whole, Field(ge=0, le=1000)]], Once] = Field(default=[0], min_length=1)
    """Numbers of examples (labelled train posts before the test post). Each number is one row; 0: no examples."""
    examples: Literal["own"] | Language = "own"
    """Language of the examples: `own`, the post's (English if it is not a train language), or one for all posts."""
    budget: Number = Field(ge=0, le=1e9)
    """Maximum cost of all calls in dollars, including earlier runs. A call that might exceed it is not made."""
    dollars_per_million: list[Annotated[Number, Field(ge=0, le=1e9)]] | None = Field(
        default=None, min_length=2, max_length=2
    )
    """Price of a million prompt tokens and of a million answer tokens. Null: as listed in `cost.prices`."""
    concurrency: Whole = Field(default=8, ge=1, le=1024)
    """Number of concurrent calls."""
    attempts: Whole = Field(default=6, ge=1, le=100)
    """Maximum attempts per call if the endpoint is busy, fails or does not answer; the pauses between them grow."""
    timeout: Number = Field(default=60, gt=0, le=86_400)
    """Seconds to wait for an answer."""
    max_tokens: Whole = Field(default=8, ge=1, le=1_000_000)
    """Maximum number of tokens in an answer."""
    top_logprobs: Whole = Field(default=5, ge=0, le=20)
    """Log-probabilities to request, if the endpoint returns any. 0: the predicted label gets probability 1."""

    @field_validator("base_url")
    @classmethod
    def _name_a_place(cls, url: str) -> str:
        # Errors do not show the URL, because it may contain a key.
        advice = (
            "keys belong in the environment variable that api.key names; the URL is not shown, as it may contain one"
        )
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise ValueError(f"contains a user name or password (text before an @); {advice}")
        if "?" in url or "#" in url or ";" in url:
            raise ValueError(f"contains a query, a fragment or parameters (text after ?, # or ;); {advice}")
        if begins_like_key(url):
            raise ValueError(f"contains text that looks like a key; {advice}")
        if not re.fullmatch(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[\x21-\x7e]*)?", url):
            raise ValueError("is not a URL such as https://api.openai.com/v1")
        if (port := re.match(r"https?://[^/]*:(\d+)(/|$)", url)) and int(port[1]) > 65_535:
            raise ValueError(f"the port {port[1]} is above 65535")
        return url.rstrip("/")

    @field_validator("key")
    @classmethod
    def _name_a_variable(cls, name: str) -> str:
        # A key pasted here by mistake must not reach a log, so the error does not repeat the value.
        if (
            not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name)
            or begins_like_key(name)
            or len(re.findall(r"\d", name)) > 4
        ):
            raise ValueError(
                "must be the name of the environment variable that contains the key, such as OPENAI_API_KEY: capitals, "
                "digits and _. The value is not shown, in case it is the key itself: never write a key to a file"
            )
        return name

    @property
    def what_is_asked(self) -> dict[str, Any]:
        """Return the settings that an answer depends on, as plain builtins."""
        return self.model_dump(include={"model", "base_url", "examples", "max_tokens", "top_logprobs"})

    @property
    def rows(self) -> dict[str, int]:
        """Return the names of the rows, each with its number of examples."""
        return {f"api-{shots}shot": shots for shots in self.shots}
