"""Settings of fine-tuning and of scoring."""

from typing import Literal

from pydantic import Field

from babelgrid.config.fields import Settings, Text


class Lora(Settings):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685)."""

    rank: int = Field(default=16, ge=1)
    """Rank r of the update B A."""
    alpha: int = Field(default=32, ge=1)
    """The update is scaled by alpha / rank."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout on the adapter's input during training."""
    targets: Literal["all-linear"] | list[Text] = "all-linear"
    """Names of the layers that are adapted, or all linear layers but the output matrix."""


class Finetune(Settings):
    """How one adapter is trained."""

    loss: Literal["label", "all"] = "label"
    """Loss on the label's tokens alone, or on every token of prompt and answer (as in the original study)."""
    epochs: float = Field(default=5, gt=0)
    """Passes over the train posts."""
    batch_size: int = Field(default=16, ge=1)
    """Posts in one optimizer step."""
    micro_batch_size: int | None = Field(default=None, ge=1)
    """Posts on the device at once (a divisor of batch_size); null takes the whole batch."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """Peak learning rate."""
    scheduler: Literal["constant_with_warmup", "linear", "cosine"] = "constant_with_warmup"
    """What the learning rate does after warm-up."""
    warmup: float = Field(default=0.03, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = Field(default=0.001, ge=0)
    """AdamW's weight decay."""
    max_grad_norm: float = Field(default=0.3, gt=0)
    """Gradients are clipped to this norm."""
    optimizer: Literal["adamw_torch", "paged_adamw_32bit", "paged_adamw_8bit"] = "adamw_torch"
    """The paged ones move their state to host memory when the GPU is full; a CPU takes adamw_torch in their place."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, half as much arithmetic again."""
    checkpoint_steps: int | None = Field(default=None, ge=1)
    """Save the state of training every so many steps too, so that a killed job goes on from there."""
    checkpoint_minutes: float | None = Field(default=10, gt=0)
    """Save the state of training after so many minutes; null saves by steps, and when told to stop, alone."""
    lora: Lora = Lora()
    """The adapter's shape."""
    report_to: list[Literal["tensorboard", "wandb", "trackio"]] = Field(default=[])
    """Trackers that receive loss and learning rate (never text)."""


WITHOUT_EFFECT = ("checkpoint_steps", "checkpoint_minutes", "report_to")
"""Settings of training that change no adapter: changing them trains nothing again."""


class Predict(Settings):
    """How test posts are scored."""

    per_cell: bool = False
    """One job for each cell in place of one for each adapter: for large test sets. Files and numbers are the same."""
    tokens_per_batch: int = Field(default=8192, ge=1)
    """Token budget of one batch: posts times the longest of them."""
