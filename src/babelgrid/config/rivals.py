"""Settings of the rivals: other systems that learn from the same posts and answer the same test posts."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from babelgrid.config.fields import COMMIT, HubName, Number, Once, Settings, Text, Whole
from babelgrid.config.finetune import Lora
from babelgrid.mixture import RIVALS


class PretrainedEncoder(Settings):
    """A pre-trained encoder: exactly one of hub, folder, lab."""

    hub: HubName | None = None
    """Name on the Hugging Face Hub, e.g. `intfloat/multilingual-e5-small`. Requires `revision`. Downloaded once."""
    revision: Text | None = None
    """The 40-digit commit of the Hub repository, so that the encoder cannot change during the experiment."""
    folder: Text | None = None
    """A local folder in Hugging Face layout (config.json, *.safetensors, tokenizer.json)."""
    lab: bool = False
    """An encoder that the experiment pre-trains itself, with masked tokens, on the stream of its base (`base.lab`)."""
    max_tokens: Whole = Field(default=256, ge=8, le=1_000_000)
    """Maximum tokens of a post; longer posts are truncated, here or at the encoder's own limit."""

    @model_validator(mode="after")
    def _take_exactly_one_place(self) -> Self:
        given = [name for name in ("hub", "folder", "lab") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"give exactly one of hub, folder, lab; found {' and '.join(given) or 'none'}")
        if self.hub and not COMMIT.fullmatch(self.revision or ""):
            raise ValueError("an encoder on the Hub needs its revision: the 40-digit commit on its 'Files' page")
        if self.revision and not self.hub:
            raise ValueError("revision can only be used with hub; remove it (or set it to null in the overlay)")
        return self


PLACE_KEYS = ("hub", "revision", "folder", "lab")
"""Keys that say where an encoder is. Results depend on its files, whose checksums are recorded, not on these keys."""


class Embedding(PretrainedEncoder):
    """Frozen sentence embeddings, classified by logistic regression with a cross-validated penalty."""

    prefix: Text = ""
    """Text before each post, as the encoder was trained with, e.g. `"query: "` for the E5 family."""


class Encoder(PretrainedEncoder):
    """An encoder with a classification head, fine-tuned by `transformers.Trainer` with early stopping on dev posts."""

    tuning: Literal["full", "lora"] = "full"
    """Train every weight, or low-rank adapters and the head."""
    epochs: Number = Field(default=10, gt=0, le=10_000)
    """Passes over the train posts at most; training takes all of them if there are no dev posts."""
    patience: Whole = Field(default=2, ge=1, le=10_000)
    """Epochs without a lower loss on dev posts after which training stops. The epoch with the lowest loss is kept."""
    batch_size: Whole = Field(default=16, ge=1, le=1_000_000)
    """Posts in one optimizer step."""
    learning_rate: Number | None = Field(default=None, gt=0, le=10)
    """Peak learning rate; null: 2e-5 for full tuning, 3e-4 for LoRA."""
    warmup: Number = Field(default=0.1, ge=0, lt=1)
    """Share of the steps used for warm-up; the rate then falls linearly."""
    weight_decay: Number = Field(default=0.01, ge=0, le=1000)
    """AdamW's weight decay."""
    lora: Lora = Lora()
    """Shape of the low-rank adapters, with tuning: lora."""

    @model_validator(mode="after")
    def _keep_the_weights_of_the_encoder(self) -> Self:
        if self.lora.init_lora_weights in ("pissa", "loftq"):
            raise ValueError(
                f"lora.init_lora_weights: {self.lora.init_lora_weights} is for the base; use default, gaussian or "
                "orthogonal"
            )
        return self

    @property
    def effective_learning_rate(self) -> float:
        """Return the peak learning rate, or the default of the kind of tuning."""
        return self.learning_rate or {"full": 2e-5, "lora": 3e-4}[self.tuning]


class Rivals(Settings):
    """Other systems that learn from the same posts: one row per system, mixture and seed, such as `embedding.en`."""

    embedding: Embedding | None = None
    """Frozen sentence embeddings and logistic regression: the rows `embedding.<mixture>`."""
    encoder: Encoder | None = None
    """A fine-tuned encoder, such as XLM-R or mmBERT: the rows `encoder.<mixture>`."""
    mixtures: Literal["all"] | Annotated[list[Text], Once, Field(min_length=1)] = "all"
    """Names of the mixtures that the rivals learn from; `all` takes every trained mixture."""

    @model_validator(mode="after")
    def _name_a_rival(self) -> Self:
        if not self.systems:
            raise ValueError(f"name at least one of {', '.join(RIVALS)}")
        return self

    @property
    def systems(self) -> list[str]:
        """Return the names of the rivals, in the order of their rows."""
        return [name for name in RIVALS if getattr(self, name) is not None]
