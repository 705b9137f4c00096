"""Settings of the rivals: other systems that learn from the same posts and answer the same test posts."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from babelgrid.config.fields import COMMIT, HubName, Language, Number, Once, Settings, Text, Whole
from babelgrid.config.finetune import Lora
from babelgrid.mixture import ENCODERS, TRANSLATED


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


LAB_COLUMN = "translation"
"""Column of translations in the file of the lab's posts."""

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


class Translate(Settings):
    """The base with posts translated into one language, the pivot. Exactly one of column, lab."""

    column: Text | None = None
    """Column of the data with each post's translation into the pivot. Posts in the pivot need none."""
    lab: bool = False
    """Perfect translations of the lab's posts (`posts.lab`), composed from its lexicons."""
    pivot: Language = "en"
    """Language that posts are translated into."""
    test: bool = True
    """Rows `translate_test.<mixture>`: the adapter of the mixture, trained on original posts, reads translated test
    posts."""
    train: bool = True
    """Rows `translate_train.<mixture>`: a new adapter, trained on the same posts in translation, reads translated test
    posts. A mixture whose posts are all in the pivot has no such row."""

    @model_validator(mode="after")
    def _take_translations_from_one_place(self) -> Self:
        if (self.column is None) != self.lab:
            raise ValueError(f"give exactly one of column, lab; found {'both' if self.lab else 'none'}")
        if not self.systems:
            raise ValueError("test and train are both false, so there are no rows; set one of them to true")
        return self

    @property
    def source_column(self) -> str:
        """Return the column of the data that has the translations."""
        return LAB_COLUMN if self.column is None else self.column

    @property
    def systems(self) -> list[str]:
        """Return the names of the systems, in the order of their rows."""
        return [name for name, is_wanted in zip(TRANSLATED, (self.test, self.train), strict=True) if is_wanted]


class Rivals(Settings):
    """Other systems that learn from the same posts: one row per system, mixture and seed, such as `embedding.en`."""

    embedding: Embedding | None = None
    """Frozen sentence embeddings and logistic regression: the rows `embedding.<mixture>`."""
    encoder: Encoder | None = None
    """A fine-tuned encoder, such as XLM-R or mmBERT: the rows `encoder.<mixture>`."""
    translate: Translate | None = None
    """Translated posts: the rows `translate_test.<mixture>` and `translate_train.<mixture>`."""
    mixtures: Literal["all"] | Annotated[list[Text], Once, Field(min_length=1)] = "all"
    """Names of the mixtures that the rivals learn from; `all` takes every trained mixture."""

    @model_validator(mode="after")
    def _name_a_rival(self) -> Self:
        if not self.systems:
            raise ValueError(f"name at least one of {', '.join(ENCODERS)}, translate")
        return self

    @property
    def encoders(self) -> list[str]:
        """Return the names of the rivals that have an encoder."""
        return [name for name in ENCODERS if getattr(self, name) is not None]

    @property
    def systems(self) -> list[str]:
        """Return the names of the rivals, in the order of their rows."""
        return [*self.encoders, *(self.translate.systems if self.translate else ())]
