"""Fine-tune an encoder with a classification head on a mixture's posts, with early stopping on dev posts."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from babelgrid.base_files import base_folder
from babelgrid.config.rivals import PLACE_KEYS, Encoder
from babelgrid.errors import UserError
from babelgrid.mixture import Mixture
from babelgrid.model.base import Device, choose_device, listed, note_device
from babelgrid.model.weights import is_finite, to_bytes
from babelgrid.posts.sample import read_train_posts, sample_posts
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.results_layout import TRAINED
from babelgrid.rivals.load import add_lora, load_encoder, tokens_of
from babelgrid.runtime.files import provenance, read_parquet, write_csv, write_folder, write_json
from babelgrid.runtime.usage import Usage, working

log = logging.getLogger(__name__)

Examples = list[dict[str, Any]]


def train_encoder(
    posts: Mapping[str, Path],
    encoder_path: Path,
    out: Path,
    *,
    mixture: Mixture,
    labels: Sequence[str],
    seed: int,
    budget: int | None,
    settings: Encoder,
    usage: Usage,
) -> None:
    """Fine-tune on the posts that the adapter of the same (mixture, seed) is trained on, and write a folder.

    The folder has trained.safetensors (every parameter that was trained), training.csv (epoch, loss, dev_loss) and
    provenance.json. posts: the posts file of each of the mixture's languages. Test posts are not used.
    """
    sample = sample_posts(read_train_posts(posts), mixture, seed, budget)
    dev = dev_posts({language: posts[language] for language in mixture.languages})
    set_seed(seed)
    device = choose_device()
    folder = base_folder(encoder_path)
    tokenizer = load_tokenizer(folder)
    model = build_model(folder, labels, settings, device.name)
    train_set, dev_set = (examples_of(frame, tokenizer, model.config, labels, settings) for frame in (sample, dev))
    # The trainer creates its folder, although it writes nothing there.
    with working(usage), TemporaryDirectory() as unused:
        best, epochs = _train(model, tokenizer, train_set, dev_set, settings, device, seed, Path(unused))
    usage.posts = round(epochs * len(train_set))
    usage.tokens = round(epochs * sum(len(example["input_ids"]) for example in train_set))
    note_device(usage, device)
    kept = settings.model_dump(mode="json", exclude=set(PLACE_KEYS))
    choices = {"mixture": mixture.name, "budget": budget, "seed": seed, "labels": list(labels)}
    record = provenance({**choices, "rivals": {"encoder": kept}}, [encoder_path, *posts.values()])
    write_folder(out, lambda place: _write(place, best, record))


def dev_posts(posts: Mapping[str, Path]) -> pd.DataFrame:
    """Return the dev posts (text, label) of the languages that a mixture contains in full.

    A dose's language is left out: its dev posts would be more labelled posts than the dose itself.
    """
    frames = [read_parquet(path, ["text", "label", "split"]) for path in posts.values()]
    return pd.concat([frame[frame["split"] == "dev"] for frame in frames], ignore_index=True)


def build_model(folder: Path, labels: Sequence[str], settings: Encoder, device: str) -> Any:
    """Return the encoder with a new head for these labels, ready to be trained; with LoRA if the settings say so."""
    model, new = load_encoder(AutoModelForSequenceClassification, folder, device, num_labels=len(labels))
    model.config.problem_type = "single_label_classification"
    return add_lora(model, new, settings.lora) if settings.tuning == "lora" else model


def examples_of(
    posts: pd.DataFrame, tokenizer: PreTrainedTokenizerBase, config: Any, labels: Sequence[str], settings: Encoder
) -> Examples:
    """Return input_ids, attention_mask, … and the number of the label of each post."""
    if posts.empty:
        return []
    encoded = tokens_of(posts["text"].tolist(), tokenizer, config, settings.max_tokens)
    columns = {**encoded, "labels": [labels.index(label) for label in posts["label"]]}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


class KeepBest(TrainerCallback):
    """Keep the trained parameters of the epoch with the lowest loss on dev posts; stop when it no longer falls."""

    def __init__(self, patience: int) -> None:
        """Set the number of epochs without a lower loss after which training stops."""
        self.patience = patience
        self.best = math.inf
        self.epoch = 0.0
        self.waited = 0
        self.state: dict[str, torch.Tensor] = {}

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, float] | None = None,
        model: Any = None,
        **kwargs: Any,
    ) -> None:
        """Compare the loss on dev posts with the lowest so far."""
        loss = (metrics or {})["eval_loss"]
        if loss < self.best:
            self.best, self.epoch, self.waited = loss, float(state.epoch or 0), 0
            self.state = trained_parameters(model)
            return
        self.waited += 1
        control.should_training_stop = self.waited >= self.patience


def trained_parameters(model: Any) -> dict[str, torch.Tensor]:
    """Return a copy, on the CPU, of every parameter that is trained, by name."""
    return {
        name: parameter.detach().to("cpu", copy=True).contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def _train(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    train_set: Examples,
    dev_set: Examples,
    settings: Encoder,
    device: Device,
    seed: int,
    folder: Path,
) -> tuple[tuple[dict[str, torch.Tensor], pd.DataFrame], float]:
    """Return the best parameters with the curve, and the number of epochs trained."""
    best = KeepBest(settings.patience)
    trainer = Trainer(
        model=model,
        args=training_arguments(settings, device, seed, folder, has_dev=bool(dev_set)),
        train_dataset=train_set,
        eval_dataset=dev_set or None,
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[best],
    )
    trainer.remove_callback(PrinterCallback)
    log.info("%d train posts, %d dev posts", len(train_set), len(dev_set))
    if not dev_set:
        log.info("there are no dev posts in the mixture's languages: training takes all %g epochs", settings.epochs)
    trainer.train()
    epochs = float(trainer.state.epoch or 0)
    curve = learning_curve(trainer.state)
    if dev_set:
        log.info("lowest loss on dev posts: %.4f after epoch %g of %g", best.best, best.epoch, epochs)
    parameters = best.state or trained_parameters(model)
    broken = [name for name, tensor in parameters.items() if not is_finite(tensor)]
    if broken or not curve["loss"].map(math.isfinite).all():
        raise UserError(
            f"rivals.encoder: training ended with a loss or parameters that are not finite "
            f"({listed(broken) or 'loss'}). Nothing is written. Lower rivals.encoder.learning_rate"
        )
    return (parameters, curve), epochs


def training_arguments(
    settings: Encoder, device: Device, seed: int, folder: Path, *, has_dev: bool
) -> TrainingArguments:
    """Return the settings as `TrainingArguments`; nothing is written to `folder`."""
    on_cpu = device.name == "cpu"
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        learning_rate=settings.effective_learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        optim="adamw_torch",
        bf16=device.dtype == torch.bfloat16,
        fp16=device.dtype == torch.float16,
        use_cpu=on_cpu,
        eval_strategy="epoch" if has_dev else "no",
        save_strategy="no",
        logging_strategy="epoch",
        logging_nan_inf_filter=False,
        report_to="none",
        dataloader_pin_memory=not on_cpu,
        disable_tqdm=True,
        seed=seed,
    )


def learning_curve(state: TrainerState) -> pd.DataFrame:
    """Return epoch, loss (mean over the epoch) and dev_loss, one row per epoch."""
    lines: dict[float, dict[str, float]] = {}
    for entry in state.log_history:
        for key, name in (("loss", "loss"), ("eval_loss", "dev_loss")):
            if key in entry:
                lines.setdefault(entry["epoch"], {"epoch": entry["epoch"]})[name] = float(entry[key])
    return pd.DataFrame(list(lines.values()), columns=["epoch", "loss", "dev_loss"])


def _write(folder: Path, trained: tuple[Mapping[str, torch.Tensor], pd.DataFrame], record: Mapping[str, Any]) -> None:
    parameters, curve = trained
    (folder / TRAINED["encoder"]).write_bytes(to_bytes(parameters, {"format": "pt"}))
    write_csv(folder / "training.csv", curve)
    write_json(folder / "provenance.json", record)
