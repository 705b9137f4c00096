"""Load encoders and encode posts for them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import PreTrainedTokenizerBase

from babelgrid.config.finetune import Lora
from babelgrid.errors import UserError, in_one_line
from babelgrid.model.base import refuse_misfit
from babelgrid.model.lora import check_targets, lora_arguments
from babelgrid.model.score import batches_by_length

TOKENS_PER_BATCH = 8192
_HEADS = ("pooler", "position_ids")
"""Parts of an encoder that need no weights: a pooling layer is never used or is trained, positions are computed."""


def load_encoder(model_class: Any, folder: Path, device: str, **options: Any) -> tuple[Any, list[str]]:
    """Load an encoder in float32 as one of transformers' Auto classes, without network access or custom code.

    Returns the model and the names of its new layers: those of a head that the weights lack, with random weights. A
    head that the class lacks is left out. Raises `UserError` if weights of the
    encoder itself are missing, unexpected or of the wrong shape, or if the folder cannot be loaded.
    """
    try:
        model, found = model_class.from_pretrained(
            folder,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported by _check_complete
            **options,
        )
    except Exception as error:  # third-party files may raise any exception in the libraries
        raise UserError(f"{folder}: the encoder cannot be loaded ({in_one_line(error)})") from error
    _check_complete(folder, model, found)
    fresh = {*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])}
    return model.to(device).eval(), sorted({name.rpartition(".")[0] for name in fresh})


def add_lora(model: Any, new: Sequence[str], settings: Lora) -> Any:
    """Return the model with LoRA on its linear layers; new layers, which have random weights, are trained in full."""
    check_targets(model, settings, "rivals.encoder")
    exact = [rf"(.*\.)?{re.escape(name)}" for name in new]
    config = LoraConfig(
        **lora_arguments(settings),
        exclude_modules="|".join(exact) or None,
        modules_to_save=list(new),
        task_type=TaskType.SEQ_CLS,
    )
    return get_peft_model(model, config)


def _check_complete(folder: Path, model: Any, found: Mapping[str, Any]) -> None:
    prefix = model.base_model_prefix
    own = {f"{prefix}.{name}" for name, _ in model.base_model.named_parameters()}
    roots = {name.split(".")[1] for name in own}

    def of_encoder(names: Any) -> list[str]:
        whole = {name if name.startswith(f"{prefix}.") else f"{prefix}.{name}" for name in names}
        return [name for name in whole if name.split(".")[1] in roots and not any(part in name for part in _HEADS)]

    missing, unexpected = of_encoder(found["missing_keys"]), of_encoder(found["unexpected_keys"])
    mismatched = of_encoder(name for name, *_ in found["mismatched_keys"])
    refuse_misfit(folder, model, missing, unexpected, mismatched, "encoder")


def padded_batches(
    encoded: Mapping[str, Sequence[Any]], tokenizer: PreTrainedTokenizerBase, device: torch.device
) -> Iterator[tuple[list[int], Any]]:
    """Yield row numbers and the padded batch of these rows, in batches of texts with similar lengths.

    encoded: what `tokens_of` returns.
    """
    for rows in batches_by_length([len(ids) for ids in encoded["input_ids"]], TOKENS_PER_BATCH):
        own = {name: [values[row] for row in rows] for name, values in encoded.items()}
        yield rows, tokenizer.pad(own, padding_side="right", return_tensors="pt").to(device)


def tokens_of(texts: list[str], tokenizer: PreTrainedTokenizerBase, config: Any, max_tokens: int) -> dict[str, Any]:
    """Return input_ids, attention_mask, … of texts, truncated to max_tokens or to the encoder's own limit.

    Text that spells a special token, such as `[SEP]`, is encoded as ordinary text.
    """
    own = [limit for limit in (tokenizer.model_max_length, getattr(config, "max_position_embeddings", None)) if limit]
    encoded = tokenizer(texts, truncation=True, max_length=min(max_tokens, *own), split_special_tokens=True)
    return dict(encoded)
