"""Stop training at the first loss or gradient norm that is not finite, and save the learning curve."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from babelgrid.errors import UserError
from babelgrid.runtime.files import write_csv

CURVE = ("step", "epoch", "loss", "learning_rate", "grad_norm")


class StopAtNonFinite(TrainerCallback):
    """Raise `UserError` at the first step whose loss or gradient norm is NaN or infinite."""

    def __init__(self, curve_path: Path | None) -> None:
        """Set the path of the learning curve to write if training is stopped, or None to skip it."""
        self.curve_path = curve_path
        self.scaler: Any = None
        """Gradient scaler for float16, or None."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Check each step's loss and gradient norm as soon as they are logged, before a checkpoint is written."""
        if not logs or "loss" not in logs:
            return
        loss, norm = float(logs["loss"]), float(logs.get("grad_norm", 0.0))
        if math.isfinite(loss) and (math.isfinite(norm) or self._is_scaling_down()):
            return
        kept = ""
        if self.curve_path is not None:
            write_csv(self.curve_path, learning_curve(state))
            kept = f" {self.curve_path} lists every step."
        rate = float(logs.get("learning_rate", 0.0))
        raise UserError(
            f"finetune: at step {state.global_step} of {state.max_steps} the loss is {loss:g} and the gradient norm "
            f"{norm:g}, with learning rate {rate:g} in {_dtype_of(args)}. No adapter is written.{kept} Lower "
            "finetune.learning_rate, or raise finetune.warmup"
        )

    def _is_scaling_down(self) -> bool:
        # In float16 the scaler deliberately starts too high: it skips such a step and halves its scale.
        return self.scaler is not None and self.scaler.get_scale() >= 1


def learning_curve(state: TrainerState) -> pd.DataFrame:
    """Return the loss, learning rate and gradient norm of every logged step, including non-finite values."""
    steps = [line for line in state.log_history if "loss" in line]
    return pd.DataFrame(steps, columns=list(CURVE))


def _dtype_of(args: TrainingArguments) -> torch.dtype:
    if args.bf16:
        return torch.bfloat16
    return torch.float16 if args.fp16 else torch.float32
