"""Settings of fine-tuning and of scoring."""

from typing import Annotated, Literal

from pydantic import Field

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
    """Names of the layers that are adapted, or all linear layers but the output matrix."""


class Finetune(Settings):
    """How one adapter is trained."""

    loss: Literal["label", "all"] = "label"
    """Loss on the label's tokens alone, or on every token of prompt and answer (as in the original study)."""
    epochs: Number = Field(default=5, gt=0, le=10_000)
    """Passes over the train posts."""
    batch_size: Whole = Field(default=16, ge=1, le=1_000_000)
    """Posts in one optimizer step."""
    micro_batch_size: Whole | None = Field(default=None, ge=1, le=1_000_000)
    """Posts on the device at once (a divisor of batch_size); null takes the whole batch."""
    learning_rate: Number = Field(default=2e-4, gt=0, le=10)
    """Peak learning rate."""
    scheduler: Literal["constant_with_warmup", "linear", "cosine"] = "constant_with_warmup"
    """What the learning rate does after warm-up."""
    warmup: Number = Field(default=0.03, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    weight_decay: Number = Field(default=0.001, ge=0, le=1000)
    """AdamW's weight decay."""
    max_grad_norm: Number = Field(default=0.3, gt=0, le=1e12)
    """Gradients are clipped to this norm."""
    optimizer: Literal["adamw_torch", "paged_adamw_32bit", "paged_adamw_8bit"] = "adamw_torch"
    """The paged ones move their state to host memory when the GPU is full; a CPU takes adamw_torch in their place."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, half as much arithmetic again."""
    checkpoint_steps: Whole | None = Field(default=None, ge=1, le=10**9)
    """Save the state of training every so many steps too, so that a killed job goes on from there."""
    checkpoint_minutes: Number | None = Field(default=10, gt=0, le=525_600)
    """Save the state of training after so many minutes; null saves by steps, and when told to stop, alone."""
    lora: Lora = Lora()
    """The adapter's shape."""
    report_to: Annotated[list[Literal["tensorboard", "wandb", "trackio"]], Once] = Field(default=[])
    """Trackers that receive loss and learning rate (never text)."""


NON_RESULT_KEYS = ("checkpoint_steps", "checkpoint_minutes", "report_to")
"""Settings of training that change no adapter: changing them trains nothing again."""


class Predict(Settings):
    """How test posts are scored."""

    per_cell: bool = False
    """One job for each cell in place of one for each adapter: for large test sets. Files and numbers are the same."""
    tokens_per_batch: Whole = Field(default=8192, ge=1, le=10**8)
    """Token budget of one batch: posts times the longest of them."""
