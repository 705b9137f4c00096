"""Settings of fine-tuning and of scoring."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from babelgrid.config.fields import Number, Once, Settings, Text, Whole


class Lora(Settings):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685)."""

    rank: Whole = Field(default=16, ge=1, le=8192)
    """Rank r of the update B A."""
    alpha: Whole = Field(default=32, ge=1, le=1_000_000)
    """The update is scaled by alpha / rank."""
    dropout: Number = Field(default=0.05, ge=0, lt=1)
    """Dropout on the adapter's input during training."""
    targets: Literal["all-linear"] | Annotated[list[Text], Once] = "all-linear"
    """Names of the layers to adapt, or all linear layers except the output matrix."""
    use_rslora: bool = False
    """Scale the update by alpha / sqrt(rank) instead (rsLoRA, arXiv 2312.03732), which suits large ranks."""
    use_dora: bool = False
    """Also train the length of each output's weights (DoRA, arXiv 2402.09353): slower, often better at small ranks."""
    init_lora_weights: Literal["default", "gaussian", "orthogonal", "pissa", "loftq"] = "default"
    """Initial values, as in peft. pissa: the base's largest singular vectors (arXiv 2404.02948); needs weights that are
    not kept in 4 bits. loftq: the largest part of the base's rounding error (arXiv 2310.08659, one step)."""

    @model_validator(mode="after")
    def _take_one_change_of_weights(self) -> Self:
        if self.use_dora and self.init_lora_weights == "pissa":
            raise ValueError("use_dora and init_lora_weights: pissa cannot be combined; remove one of them")
        return self


class Finetune(Settings):
    """How each adapter is trained."""

    loss: Literal["label", "all"] = "label"
    """Loss on the label's tokens only, or on every token of prompt and answer (as in the original study)."""
    epochs: Number = Field(default=5, gt=0, le=10_000)
    """Passes over the train posts."""
    batch_size: Whole = Field(default=16, ge=1, le=1_000_000)
    """Posts in one optimizer step."""
    micro_batch_size: Whole | None = Field(default=None, ge=1, le=1_000_000)
    """Posts on the device at once (a divisor of batch_size); null uses the whole batch."""
    learning_rate: Number = Field(default=2e-4, gt=0, le=10)
    """Peak learning rate."""
    scheduler: Literal["constant_with_warmup", "linear", "cosine"] = "constant_with_warmup"
    """Learning-rate schedule, including warm-up."""
    warmup: Number = Field(default=0.03, ge=0, lt=1)
    """Share of the steps used for warm-up."""
    weight_decay: Number = Field(default=0.001, ge=0, le=1000)
    """AdamW's weight decay."""
    max_grad_norm: Number = Field(default=0.3, gt=0, le=1e12)
    """Maximum gradient norm; larger gradients are clipped."""
    optimizer: Literal["adamw_torch", "paged_adamw_32bit", "paged_adamw_8bit"] = "adamw_torch"
    """The paged optimizers move their state to host memory when the GPU is full; on a CPU, adamw_torch is used."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about 50% more computation."""
    checkpoint_steps: Whole | None = Field(default=None, ge=1, le=10**9)
    """Interval in steps for saving the training state, from which a killed job resumes; null saves by minutes only."""
    checkpoint_minutes: Number | None = Field(default=10, gt=0, le=525_600)
    """Interval in minutes for saving the training state; null saves by steps only. A job asked to stop always saves."""
    lora: Lora = Lora()
    """Shape of the adapter."""
    report_to: Annotated[list[Literal["tensorboard", "wandb", "trackio"]], Once] = Field(default=[])
    """Trackers that receive loss and learning rate (never text)."""


NON_RESULT_KEYS = ("checkpoint_steps", "checkpoint_minutes", "report_to")
"""Training settings that do not affect the adapter: changing them does not retrain it."""


class Predict(Settings):
    """How test posts are scored."""

    per_cell: bool = False
    """Run one job per cell instead of one per adapter, for large test sets. Files and numbers are the same."""
    tokens_per_batch: Whole = Field(default=8192, ge=1, le=10**8)
    """Token budget of one batch: number of posts times the length of the longest."""
