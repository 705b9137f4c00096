"""Define the sides: each builds a trainer for the same examples, base, adapter and settings; `train()` runs it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset
from peft import get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PrinterCallback, set_seed
from trl import SFTConfig, SFTTrainer

from babelgrid.config.base import Base
from babelgrid.config.finetune import Finetune
from babelgrid.model.base import choose_device, load_base
from babelgrid.model.examples import Example
from babelgrid.model.lora import add_adapter, lora_config
from babelgrid.model.trainer import build_trainer, training_arguments
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json

SEED = 0
Weights = Literal["auto", "nf4", "dequantized"]
Side = Callable[[Path, Sequence[Example], Finetune], Any]
"""Build a trainer for the examples on the base given by a base.json."""


def babelgrid(base_path: Path, examples: Sequence[Example], settings: Finetune, weights: Weights = "auto") -> Any:
    """Return babelgrid's trainer, built as in `finetune`."""
    device = choose_device()
    set_seed(SEED)
    model = add_adapter(load_base(base_path, Base(folder="named in base.json", weights=weights), device), settings.lora)
    arguments = training_arguments(settings, device, SEED, base_path.parent / "ours")
    return build_trainer(model, list(examples), arguments)


def trl_as_it_comes(base_path: Path, examples: Sequence[Example], settings: Finetune) -> Any:
    """Return TRL's trainer with defaults: loss on all tokens, gradient checkpointing, the base's layers kept in NF4."""
    rows = [{"input_ids": list(example.ids), "labels": list(example.ids)} for example in examples]
    return _sft_trainer(_adapted(_nf4(base_path), settings), base_path, rows, settings, gradient_checkpointing=True)


def trl_tuned(base_path: Path, examples: Sequence[Example], settings: Finetune) -> Any:
    """Return TRL's trainer tuned for speed as in its docs.

    It uses the loss on the completion, no gradient checkpointing, and TRL's fused head and AdamW. It also gets the base
    with weights dequantised once, which its docs do not recommend but which makes it faster.
    """
    rows = [
        {
            "input_ids": list(example.ids),
            "labels": [-100] * example.first_target + list(example.ids[example.first_target :]),
        }
        for example in examples
    ]
    base = load_base(base_path, Base(folder="named in base.json"), choose_device())
    base.set_attn_implementation("sdpa")
    return _sft_trainer(_adapted(base, settings), base_path, rows, settings, gradient_checkpointing=False)


def _adapted(base: Any, settings: Finetune) -> Any:
    """Add the adapter that `babelgrid` trains, without its forward pass."""
    set_seed(SEED)
    return get_peft_model(base, lora_config(settings.lora, base))


def _nf4(base_path: Path) -> Any:
    device = choose_device()
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=device.dtype,
    )
    model = AutoModelForCausalLM.from_pretrained(
        read_json(base_path)["folder"], quantization_config=nf4, dtype=device.dtype, device_map={"": device.name}
    )
    return model.requires_grad_(False)


def _sft_trainer(
    model: Any, base_path: Path, rows: Sequence[dict[str, Any]], settings: Finetune, gradient_checkpointing: bool
) -> Any:
    device = choose_device()
    arguments = SFTConfig(
        output_dir=str(base_path.parent / "trl"),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        activation_checkpointing=gradient_checkpointing,
        bf16=device.dtype == torch.bfloat16,
        use_cpu=device.name == "cpu",
        dataloader_pin_memory=device.name != "cpu",
        dataset_kwargs={"skip_prepare_dataset": True},
        save_strategy="no",
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
        seed=SEED,
    )
    adapter = {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=load_tokenizer(read_json(base_path)["folder"]),
    )
    trainer.remove_callback(PrinterCallback)
    # TRL rounds the adapter of a 4-bit base to bfloat16; restore it, so that both sides train in the same precision.
    for name, weight in adapter.items():
        trainer.model.get_parameter(name).data = weight
    return trainer


SIDES: dict[str, Side] = {"babelgrid": babelgrid, "TRL as it comes": trl_as_it_comes, "TRL tuned": trl_tuned}
