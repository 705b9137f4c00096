"""The training loop: `transformers.Trainer` around babelgrid's forward pass."""

import logging
import os
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from babelgrid.config.finetune import Finetune
from babelgrid.errors import UserError
from babelgrid.model.base import Device
from babelgrid.model.checkpoints import Checkpoints
from babelgrid.model.examples import Example
from babelgrid.model.finite import StopAtNonFinite
from babelgrid.model.forward import summed_loss
from babelgrid.model.packing import Batch, collate
from babelgrid.model.progress import LogProgress

log = logging.getLogger(__name__)


class AdapterTrainer(Trainer):
    """`transformers.Trainer` with babelgrid's forward pass instead of the padded one."""

    def __init__(self, checkpoints: Checkpoints | None = None, **arguments: Any) -> None:
        """Pass arguments to `Trainer`; checkpoints: where to save the training state, or None."""
        super().__init__(**arguments)
        self.checkpoints = checkpoints
        self.saved_step: int | None = None
        self.progress = LogProgress()
        self.add_callback(self.progress)
        finite = StopAtNonFinite(None if checkpoints is None else checkpoints.folder / "training.csv")
        finite.scaler = self.accelerator.scaler
        self.add_callback(finite)
        # `compute_loss` already divides by the number of predictions in the full accumulated batch.
        self.loss_is_scaled_for_ga = True

    def compute_loss(  # type: ignore[override]
        self,
        model: Any,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return this micro-batch's share of the mean cross-entropy over all predictions of the optimizer step."""
        total = inputs["weights"].sum() if num_items_in_batch is None else num_items_in_batch
        self.progress.tokens += inputs["tokens"].numel()
        loss = summed_loss(model, inputs) / total
        return (loss, {}) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> torch.Tensor | None:
        return torch.stack([batch["weights"].sum() for batch in batch_samples]).sum().to(device)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Replace the checkpoint; if that fails, keep the previous one and continue training."""
        if self.checkpoints is None:
            return
        step = self.state.global_step
        try:
            self.checkpoints.save(step, lambda: super(AdapterTrainer, self)._save_checkpoint(model, trial))
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(self.checkpoints.writing, ignore_errors=True)
            log.warning("no checkpoint at step %d (%s): training continues, the previous one is kept", step, error)
        else:
            self.saved_step = step


def training_arguments(settings: Finetune, device: Device, seed: int, state: Path) -> TrainingArguments:
    """Return the settings as `TrainingArguments`; `state` is the folder where checkpoints are written."""
    micro = settings.micro_batch_size or settings.batch_size
    on_cpu = device.name == "cpu"
    return TrainingArguments(
        output_dir=str(state),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=settings.batch_size // micro,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch" if on_cpu else settings.optimizer,
        bf16=device.dtype == torch.bfloat16,
        fp16=device.dtype == torch.float16,
        use_cpu=on_cpu,
        activation_checkpointing=settings.gradient_checkpointing,
        # `saving.SaveState` decides when to save.
        save_strategy="no",
        logging_steps=1,
        # The filter would synchronise with the device for every loss, and would hide losses that are NaN.
        logging_nan_inf_filter=False,
        report_to=list(settings.report_to) or "none",
        remove_unused_columns=False,
        dataloader_pin_memory=not on_cpu,
        disable_tqdm=True,
        seed=seed,
    )


def build_trainer(
    model: Any,
    examples: list[Example],
    arguments: TrainingArguments,
    checkpoints: Checkpoints | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> AdapterTrainer:
    """Return a trainer for the examples; it writes a checkpoint only when a callback requests one."""
    trainer = AdapterTrainer(
        checkpoints=checkpoints,
        model=model,
        args=arguments,
        train_dataset=examples,
        data_collator=collate,
        callbacks=list(callbacks),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def prepare_trackers(names: Sequence[str], folder: Path) -> None:
    """Check that the trackers are installed, and direct their files to `folder`, which a rerun does not delete.

    Trackers receive loss and learning rate, never text. Raises `UserError` for a tracker that is not installed.
    """
    for name in names:
        if find_spec(name) is None:
            raise UserError(
                f"finetune.report_to: {name} is not installed. Run `pip install {name}`, or remove it from the list"
            )
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder)
    os.environ["WANDB_DIR"] = str(folder)
    os.environ["TRACKIO_DIR"] = str(folder)
