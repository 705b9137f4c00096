"""Settings of adapters that are released for others to use."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from babelgrid.config.fields import COMMIT, HubName, Number, Once, PathName, Settings, Text
from babelgrid.config.shown import looks_like_key


class Push(Settings):
    """Where released adapters go on the Hugging Face Hub, for the target `push`."""

    owner: PathName
    """User or organisation that owns the repositories. The token comes from the environment variable HF_TOKEN."""
    private: bool = True
    """Whether new repositories are private."""

    @field_validator("owner")
    @classmethod
    def _name_no_token(cls, owner: str) -> str:
        if looks_like_key(owner):
            raise ValueError("looks like a token, which belongs in the environment variable HF_TOKEN; name the owner")
        return owner


class Release(Settings):
    """Adapters of the grid that are made ready for others, and what their cards say."""

    adapters: Annotated[list[Text], Once] = Field(min_length=1)
    """Rows of the grid: `en+hu@25/seed1`, or `en+hu@25` for its first seed."""
    base: HubName | None = None
    """Public name (`owner/name`) of a base that is a local folder here. Others load it by this name."""
    base_revision: Text | None = Field(default=None, pattern=f"^{COMMIT.pattern}$")
    """Commit of that name, in full."""
    licence: Text = "other"
    """Licence of the adapter, as the Hub names them. That of the base holds beside it."""
    base_licence: Text = "see the base's own page"
    """Licence of the base, in words. Not shown for a base that the lab has made."""
    intended_use: Text = "Research on how labels transfer between languages."
    """What the adapter is for, in words for the card."""
    limits: Text = "Scores hold for posts like those it was tested on. It is not meant for decisions about people."
    """What it is not for, in words for the card."""
    gguf: Literal["f32", "f16", "bf16", "q8_0"] | None = None
    """Also write `gguf/model.gguf` in these numbers, by llama.cpp's `convert_hf_to_gguf.py`, to be on the PATH."""
    parity: Number = Field(default=0.99, gt=0, le=1)
    """Share of the test posts on which each form (adapter, merged, GGUF), loaded as its card says, must give the labels
    of the grid; below it the release fails."""
    push: Push | None = None
    """The Hub, for the targets `push_list` and `push`."""
