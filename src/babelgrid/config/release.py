"""Settings of released adapters."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from babelgrid.config.fields import COMMIT, HubName, Number, Once, PathName, Settings, Text
from babelgrid.config.shown import looks_like_key


class Push(Settings):
    """Where the target `push` uploads released adapters on the Hugging Face Hub."""

    owner: PathName
    """User or organisation that owns the repositories. The token is read from the environment variable HF_TOKEN."""
    private: bool = True
    """Whether new repositories are private."""

    @field_validator("owner")
    @classmethod
    def _name_no_token(cls, owner: str) -> str:
        if looks_like_key(owner):
            raise ValueError("looks like a token, which belongs in the environment variable HF_TOKEN; name the owner")
        return owner


class Release(Settings):
    """Adapters of the grid to prepare for publication, and the text of their model cards."""

    adapters: Annotated[list[Text], Once] = Field(min_length=1)
    """Rows of the grid: `en+hu@25/seed1`, or `en+hu@25` for its first seed."""
    base: HubName | None = None
    """Public name (`owner/name`) of a base that is a local folder here, for others to load."""
    base_revision: Text | None = Field(default=None, pattern=f"^{COMMIT.pattern}$")
    """Full commit hash of that repository."""
    licence: Text = "other"
    """Licence of the adapter, by its identifier on the Hub. The base's licence also applies."""
    base_licence: Text = "see the base's own page"
    """Licence of the base, as text. Not shown for a base made by the lab."""
    intended_use: Text = "Research on how labels transfer between languages."
    """Intended use of the adapter, as text for the card."""
    limits: Text = "Scores hold for posts like those it was tested on. It is not meant for decisions about people."
    """Limits of the adapter, as text for the card."""
    gguf: Literal["f32", "f16", "bf16", "q8_0"] | None = None
    """Also write `gguf/model.gguf` in this number format. Needs llama.cpp's `convert_hf_to_gguf.py` on the PATH."""
    parity: Number = Field(default=0.99, gt=0, le=1)
    """Minimum share of test posts on which each form (adapter, merged, GGUF), loaded as its card describes, must give
    the labels of the grid; the release fails below it."""
    push: Push | None = None
    """Where to upload, for the targets `push_list` and `push`."""
