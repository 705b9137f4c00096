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
    def _reject_token(cls, owner: str) -> str:
        if looks_like_key(owner):
            raise ValueError(
                "looks like an access token. Set HF_TOKEN to the token, and give the user or organisation here"
            )
        return owner


class Release(Settings):
    """Adapters of the grid to prepare for publication, and the text of their model cards."""

    adapters: Annotated[list[Text], Once] = Field(min_length=1)
    """Adapters to release, as `<mixture>/seed<k>`, such as `en+hu@25/seed1`. Without a seed, the first seed is used."""
    base: HubName | None = None
    """Hub name (`owner/name`) from which others can load the base, if this config uses a folder or a GGUF."""
    base_revision: Text | None = Field(default=None, pattern=f"^{COMMIT.pattern}$")
    """Full commit hash of the repository `base`."""
    licence: Text = "other"
    """Licence of the adapter, by its identifier on the Hub. The base's licence also applies."""
    base_licence: Text = "see the base's own page"
    """Licence of the base, as text. Not shown for a base made by the lab."""
    intended_use: Text = "Research on how labels transfer between languages."
    """Intended use of the adapter, as text for the card."""
    limits: Text = (
        "Scores apply only to posts similar to the test data. Do not use this adapter for decisions about people."
    )
    """Limits of the adapter, as text for the card."""
    gguf: Literal["f32", "f16", "bf16", "q8_0"] | None = None
    """Also write `gguf/model.gguf` in this number format. Needs llama.cpp's `convert_hf_to_gguf.py` on the PATH."""
    parity: Number = Field(default=0.99, gt=0, le=1)
    """Minimum fraction of test posts for which each format (adapter, merged, GGUF) must predict the same label as in
    the grid. Each is loaded as its model card describes. The release fails below this value."""
    push: Push | None = None
    """Where to upload, for the targets `push_list` and `push`."""
