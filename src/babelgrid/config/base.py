"""Settings of the base: the pre-trained model that every adapter starts from."""

from typing import Literal, Self

from pydantic import Field, model_validator

from babelgrid.config.fields import COMMIT, HUB_FILE, HubName, Language, Number, Settings, Text, Whole
from babelgrid.errors import nearest

KINDS = ("hub", "folder", "gguf", "lab")
LAB_LANGUAGES = ("en", "es", "pt", "fr", "it", "de", "ar", "hi", "hu", "id", "tr", "pl", "ko")


class LabBase(Settings):
    """A small base that the experiment pre-trains itself, so its exposure to each language is known exactly."""

    tokens: Whole = Field(default=1_500_000, ge=10_000, le=10**12)
    """Length of the pre-training stream, in tokens of the lab's own tokenizer (rounded to whole steps)."""
    shares: Literal["skewed", "uniform"] | dict[Language, Number] = "skewed"
    """Language shares in the stream: `skewed` (Llama 2's table, English fixed at half), `uniform`, or weights."""
    parallel: Number = Field(default=0.2, ge=0, le=1)
    """Share of documents with the same content in two languages, one after the other."""
    code_switched: Number = Field(default=0.5, ge=0, le=1)
    """Share of documents that borrow phrases from a second language."""
    switch_rate: Number = Field(default=0.35, ge=0, le=1)
    """Share of borrowed phrases in a code-switched document."""
    vocabulary: Whole = Field(default=4096, ge=512, le=1_000_000)
    """Size of the byte-level BPE vocabulary, trained on the same stream."""
    hidden_size: Whole = Field(default=128, ge=32, le=32_768, multiple_of=16)
    """Width of the model."""
    layers: Whole = Field(default=4, ge=1, le=512)
    """Number of transformer layers."""
    heads: Whole = Field(default=4, ge=1, le=512)
    """Number of attention heads."""
    context: Whole = Field(default=128, ge=16, le=131_072)
    """Number of tokens in one pre-training row."""
    batch_rows: Whole = Field(default=16, ge=1, le=65_536)
    """Number of rows in one pre-training step."""
    learning_rate: Number = Field(default=3e-3, gt=0, le=10)
    """Peak learning rate of pre-training (warm-up, then cosine)."""

    @model_validator(mode="after")
    def _divide_width_by_heads(self) -> Self:
        if self.hidden_size % (2 * self.heads):
            raise ValueError(f"hidden_size ({self.hidden_size}) must be a multiple of 2 x heads ({2 * self.heads})")
        return self

    @model_validator(mode="after")
    def _share_the_documents_out(self) -> Self:
        if self.parallel + self.code_switched > 1:
            both = self.parallel + self.code_switched
            raise ValueError(
                f"parallel + code_switched is {both:g}; they are shares of all documents and must add up to at most 1"
            )
        return self

    @model_validator(mode="after")
    def _share_the_stream_out(self) -> Self:
        if isinstance(self.shares, str):
            return self
        for language, weight in self.shares.items():
            if language not in LAB_LANGUAGES:
                hint = nearest(language, LAB_LANGUAGES)
                raise ValueError(
                    f"shares: the lab has no language {language!r}{hint}. Allowed: {', '.join(LAB_LANGUAGES)}"
                )
            if not 0 < weight < float("inf"):
                raise ValueError(
                    f"shares: the weight of {language!r} is {weight:g}; use a number above 0 (or remove the language)"
                )
        if len(self.shares) < 2 and self.parallel + self.code_switched > 0:
            raise ValueError(
                "shares: parallel and code-switched documents need two languages; add one, or set both shares to 0"
            )
        return self


class Base(Settings):
    """The pre-trained model: exactly one of hub, folder, gguf, lab."""

    hub: HubName | None = None
    """Name on the Hugging Face Hub, e.g. `meta-llama/Llama-3.2-3B`. Requires `revision`. Downloaded once."""
    revision: Text | None = None
    """The 40-digit commit of the Hub repository, so that the base cannot change during the experiment."""
    folder: Text | None = None
    """A local folder in Hugging Face layout (config.json, *.safetensors, tokenizer files)."""
    gguf: Text | None = None
    """A local GGUF file, or with `revision` a file on the Hub (`owner/name/file.gguf`). Converted once, to float32."""
    lab: LabBase | None = None
    """A base that the experiment pre-trains itself."""
    double_quantization: bool = True
    """Also quantise the NF4 scales (QLoRA, arXiv 2305.14314, section 3), which saves 0.4 bits per weight."""
    weights: Literal["auto", "nf4", "dequantized"] = "auto"
    """Keep weights in 4 bits, or dequantise them once: same numbers, faster. Auto: whichever fits on the device."""
    cpu_dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Data type of the base's weights and products on a CPU; adapters stay in float32. Auto: bfloat16 if the CPU
    multiplies it in hardware (flags avx512_bf16, amx_bf16 or, on Arm, bf16), else float32. No effect on a GPU."""

    @property
    def is_gguf_on_hub(self) -> bool:
        """Whether the GGUF file is in a repository on the Hub."""
        return self.gguf is not None and self.revision is not None

    @model_validator(mode="after")
    def _take_exactly_one_base(self) -> Self:
        given = [name for name in KINDS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(KINDS)}; found {', '.join(given) or 'none'}")
        if self.hub and not COMMIT.fullmatch(self.revision or ""):
            raise ValueError("a Hub base needs its revision: the 40-digit commit shown on the model's 'Files' page")
        if self.revision and not (self.hub or self.gguf):
            raise ValueError(
                "revision can only be used with hub, or with gguf for a file on the Hub; remove it (or set it to null "
                "in the overlay)"
            )
        return self

    @model_validator(mode="after")
    def _name_one_gguf_file(self) -> Self:
        if self.gguf is None:
            return self
        if not self.gguf.lower().endswith(".gguf"):
            raise ValueError(f"gguf: {self.gguf!r} must be the path of one file that ends in .gguf")
        if self.revision is not None and not COMMIT.fullmatch(self.revision):
            raise ValueError("gguf on the Hub: revision must be the 40-digit commit shown on the 'Files' page")
        if self.revision is not None and not HUB_FILE.fullmatch(self.gguf):
            raise ValueError(
                f"gguf: {self.gguf!r} is not a file on the Hub, such as owner/name/file.gguf. For a local file, remove "
                "the revision"
            )
        return self
