"""Train one adapter."""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from pydantic import BaseModel
from safetensors.torch import save_file
from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint

from babelgrid.config.base import Base
from babelgrid.config.finetune import Finetune, Lora
from babelgrid.config.prompt import Label, Prompt
from babelgrid.errors import UserError, nearest
from babelgrid.files import provenance, read_json, write_csv, write_folder, write_json
from babelgrid.mixture import Mixture
from babelgrid.model.base import Device, choose_device, load_base
from babelgrid.model.examples import Example, train_examples
from babelgrid.model.forward import Batch, collate, summed_loss
from babelgrid.model.progress import LogProgress
from babelgrid.model.trackers import prepare_trackers
from babelgrid.posts.sample import read_train_posts, sample_posts
from babelgrid.prompts.tokenizer import load_tokenizer

log = logging.getLogger(__name__)


class AdapterTrainer(Trainer):
    """`transformers.Trainer` with babelgrid's forward pass in place of the padded one."""

    def __init__(self, **arguments: Any) -> None:
        """Take what `Trainer` takes."""
        super().__init__(**arguments)
        # The loss below is already divided by the predictions of the whole accumulated batch.
        self.loss_is_scaled_for_ga = True

    def compute_loss(
        self,
        model: Any,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the mean cross-entropy over all predictions of one optimizer step, micro-batches together."""
        total = inputs["weights"].sum() if num_items_in_batch is None else num_items_in_batch
        loss = summed_loss(model, inputs) / total
        return (loss, {}) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> torch.Tensor | None:
        return torch.stack([batch["weights"].sum() for batch in batch_samples]).sum().to(device)


def finetune(
    posts: Mapping[str, Path],
    base_path: Path,
    adapter: Path,
    checkpoints: Path,
    trackers: Path,
    *,
    mixture: Mixture,
    budget: int | None,
    seed: int,
    base: Base,
    prompt: Prompt,
    labels: Mapping[str, Label],
    settings: Finetune,
) -> None:
    """Train the adapter of a (mixture, seed) and write its folder whole.

    posts: the posts file of each of the mixture's languages. budget: posts in all, or None for all there are.
    checkpoints: where the run may leave its state, removed when the adapter is written. trackers: where trackers write.
    Writes adapter_model.safetensors, adapter_config.json, training.csv, provenance.json.
    """
    prepare_trackers(settings.report_to, trackers)
    sample = sample_posts(read_train_posts(posts), mixture, seed, budget)
    tokenizer = load_tokenizer(read_json(base_path)["folder"])
    examples = train_examples(sample, prompt, labels, settings.loss, tokenizer)
    log.info("%d posts, %d tokens in one epoch", len(examples), sum(len(example.ids) for example in examples))
    answers = {name: label.answer for name, label in labels.items()}
    choices = {"mixture": mixture.name, "budget": budget, "seed": seed, "answers": answers}
    record = provenance(choices | _dump(finetune=settings, base=base, prompt=prompt), [base_path, *posts.values()])
    set_seed(seed)
    device = choose_device()
    model = add_adapter(load_base(base_path, base, device), settings.lora)
    state = checkpoints / _digest({**record, "git_commit": None})
    trainer = build_trainer(model, examples, settings, training_arguments(settings, device, seed, state))
    trainer.train(resume_from_checkpoint=_last_checkpoint(state))
    write_folder(adapter, lambda folder: _write_adapter(folder, trainer, record, read_json(base_path)["name"]))
    shutil.rmtree(checkpoints, ignore_errors=True)


def add_adapter(model: Any, settings: Lora) -> Any:
    """Return the base with a new LoRA adapter; `UserError` where a named layer is not in the base."""
    linear = {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    if not isinstance(settings.targets, str):
        for target in settings.targets:
            if target not in linear:
                raise UserError(
                    f"finetune.lora.targets: the base has no linear layer {target!r}{nearest(target, linear)}. "
                    f"Allowed: {', '.join(sorted(linear))}"
                )
    return get_peft_model(model, lora_config(settings))


def lora_config(settings: Lora) -> LoraConfig:
    """Return peft's description of the adapter."""
    targets = settings.targets if isinstance(settings.targets, str) else sorted(settings.targets)
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        bias="none",
        task_type="CAUSAL_LM",
    )


def training_arguments(settings: Finetune, device: Device, seed: int, state: Path) -> TrainingArguments:
    """Return the settings in `transformers`' terms; `state` is the folder of the checkpoints."""
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
        save_strategy="steps" if settings.checkpoint_steps else "no",
        save_steps=settings.checkpoint_steps or 500,
        save_total_limit=1,
        logging_steps=1,
        report_to=list(settings.report_to) or "none",
        remove_unused_columns=False,
        dataloader_pin_memory=not on_cpu,
        disable_tqdm=True,
        seed=seed,
    )


def build_trainer(
    model: Any, examples: list[Example], settings: Finetune, arguments: TrainingArguments
) -> AdapterTrainer:
    """Return the training loop over examples."""
    # Gradient checkpointing throws the key-value cache away, and with it a shared prefix.
    share_prefix = not settings.gradient_checkpointing
    trainer = AdapterTrainer(
        model=model,
        args=arguments,
        train_dataset=examples,
        data_collator=lambda batch: collate(batch, share_prefix),
        callbacks=[LogProgress()],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _write_adapter(folder: Path, trainer: AdapterTrainer, record: Mapping[str, Any], base_name: str) -> None:
    """Write weights, peft's configuration, the learning curve and the provenance into an empty folder."""
    model: Any = trainer.model
    weights = {name: tensor.contiguous().cpu() for name, tensor in get_peft_model_state_dict(model).items()}
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = model.peft_config["default"]
    config.inference_mode = True
    config.base_model_name_or_path = base_name
    # A set of layer names has no order of its own; the same adapter must be the same bytes.
    content = {key: sorted(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}
    write_json(folder / "adapter_config.json", json.loads(json.dumps(content, default=str)))
    curve = pd.DataFrame(trainer.state.log_history)
    columns = ["step", "epoch", "loss", "learning_rate", "grad_norm"]
    write_csv(folder / "training.csv", curve.dropna(subset=["loss"])[columns])
    write_json(folder / "provenance.json", record)


def _last_checkpoint(state: Path) -> str | None:
    return get_last_checkpoint(str(state)) if state.is_dir() else None  # type: ignore[no-untyped-call]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _dump(**blocks: BaseModel) -> dict[str, Any]:
    return {name: block.model_dump(mode="json") for name, block in blocks.items()}
