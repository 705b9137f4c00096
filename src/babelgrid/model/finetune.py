"""Train one adapter."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from peft import get_peft_model_state_dict
from pydantic import BaseModel
from transformers import set_seed

from babelgrid.base_files import read_base, weights_digest
from babelgrid.config.base import Base
from babelgrid.config.finetune import NON_RESULT_KEYS, Finetune
from babelgrid.config.prompt import Label, Prompt, label_settings
from babelgrid.errors import UserError
from babelgrid.mixture import Mixture
from babelgrid.model.adapter_config import BASE_WEIGHTS
from babelgrid.model.base import Device, choose_device, describe_device, listed, load_base, note_device
from babelgrid.model.checkpoints import Checkpoints, digest
from babelgrid.model.examples import Example, train_examples
from babelgrid.model.finite import learning_curve
from babelgrid.model.lora import add_adapter, fit_unchanged_base, initial_update
from babelgrid.model.memory import fit_memory
from babelgrid.model.saving import SaveState
from babelgrid.model.trainer import AdapterTrainer, build_trainer, prepare_trackers, training_arguments
from babelgrid.model.weights import is_finite, to_bytes
from babelgrid.posts.sample import read_train_posts, sample_posts
from babelgrid.prompts.tokenizer import load_base_tokenizer
from babelgrid.runtime.files import provenance, write_csv, write_folder, write_json
from babelgrid.runtime.usage import Usage, working

log = logging.getLogger(__name__)


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
    code: str,
    usage: Usage,
    pivot: str | None = None,
) -> None:
    """Train the adapter of a (mixture, seed) and write its folder: weights, config, training.csv, provenance.

    posts: the posts file of each of the mixture's languages, in the language `pivot` if it is given. budget: number of
    posts, or None. checkpoints: folder of training state, removed at the end. usage: receives posts, tokens, device.
    code: digest of the training code; a checkpoint with different code, data, settings, versions or device is removed.
    """
    prepare_trackers(settings.report_to, trackers)
    sample = _in_language(pivot, sample_posts(read_train_posts(posts), mixture, seed, budget))
    examples = train_examples(sample, prompt, labels, settings.loss, load_base_tokenizer(base_path))
    choices = {"mixture": mixture.name, "budget": budget, "seed": seed, "labels": label_settings(labels)}
    blocks = _dump(finetune=settings, base=base, prompt=prompt) | ({"pivot": pivot} if pivot else {})
    record = provenance(choices | blocks, [base_path, *posts.values()])
    set_seed(seed)
    device = choose_device(base)
    model = add_adapter(load_base(base_path, base, device), settings.lora)
    initial = initial_update(model, settings.lora)
    plan = _plan(model, examples, settings, device, seed, checkpoints / "rehearsal")
    state = Checkpoints(checkpoints, _fingerprint(record, plan, code, device))
    trainer = _train(model, examples, plan, device, seed, state, usage)
    write_folder(adapter, lambda folder: _write_adapter(folder, trainer, initial, record, read_base(base_path)))
    state.remove()


def _in_language(pivot: str | None, sample: pd.DataFrame) -> pd.DataFrame:
    """Return translated posts as posts in the pivot, so that their prompts are in the pivot too."""
    return sample if pivot is None else sample.assign(language=pivot)


def _plan(model: Any, examples: list[Example], settings: Finetune, device: Device, seed: int, folder: Path) -> Finetune:
    """Return the settings with the largest micro-batches that fit.

    A CPU's memory cannot be tested beforehand: the kernel kills a process that takes too much.
    """

    def build(plan: Finetune, some: list[Example]) -> AdapterTrainer:
        return build_trainer(model, some, training_arguments(plan, device, seed, folder))

    return fit_memory(settings, examples, build) if device.name == "cuda" else settings


def _train(
    model: Any, examples: list[Example], plan: Finetune, device: Device, seed: int, state: Checkpoints, usage: Usage
) -> AdapterTrainer:
    """Train to the end, from the last checkpoint if there is one; raise `UserError` if a signal stops training."""
    log.info("%d posts, %d tokens in one epoch", len(examples), _tokens_of(examples))
    last = state.last()
    state.remove_leftovers()
    if last is not None:
        log.info("resuming from %s", last)
    saving = SaveState(plan)
    arguments = training_arguments(plan, device, seed, state.writing)
    trainer = build_trainer(model, examples, arguments, state, [saving])
    with working(usage), saving.listening():
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if saving.signal:
        step, saved = trainer.state.global_step, trainer.saved_step
        again = f"resume from step {saved}" if saved == step else "resume from the last checkpoint, or from the start"
        raise UserError(f"stopped by {saving.signal} at step {step} of {trainer.state.max_steps}; run again to {again}")
    _note_training(usage, trainer, examples, plan, device)
    return trainer


def _tokens_of(examples: list[Example]) -> int:
    return sum(len(example.ids) for example in examples)


def _note_training(
    usage: Usage, trainer: AdapterTrainer, examples: list[Example], plan: Finetune, device: Device
) -> None:
    """Record the posts and tokens trained on, and the device; after a resume, count only what this job trained on."""
    last = trainer.state.max_steps
    epochs = plan.epochs * (last - trainer.progress.first_step) / last
    usage.posts = round(epochs * len(examples))
    usage.tokens = round(epochs * _tokens_of(examples))
    note_device(usage, device)


def _fingerprint(record: Mapping[str, Any], plan: Finetune, code: str, device: Device) -> dict[str, str]:
    """Return a digest of everything that the adapter's bytes depend on, by kind."""
    # Checkpoint intervals and trackers do not affect the weights.
    steps = plan.model_dump(mode="json", exclude=set(NON_RESULT_KEYS))
    kinds = {
        "data": record["inputs"],
        "config": {**record["settings"], "finetune": steps},
        "code": code,
        "versions": record["versions"],
        "device": describe_device(device),
    }
    return {kind: digest(content) for kind, content in kinds.items()}


def _write_adapter(
    folder: Path,
    trainer: AdapterTrainer,
    initial: dict[str, torch.Tensor],
    record: Mapping[str, Any],
    its_base: Mapping[str, Any],
) -> None:
    """Write weights, peft's configuration, the learning curve and the provenance into an empty folder.

    initial: the adapter's tensors before training, if they were taken out of the base's weights.
    its_base: content of base.json. Its name and revision are written to the configuration, the digest of its weights to
    the metadata of the adapter's weights. Raises `UserError` for weights that are not finite.
    """
    model: Any = trainer.model
    config = model.peft_config["default"]
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    weights = {name: tensor.contiguous().cpu() for name, tensor in state.items()}
    weights = fit_unchanged_base(weights, initial, config)
    broken = [name for name, tensor in weights.items() if not is_finite(tensor)]
    if broken:
        raise UserError(
            f"finetune: after the last step {len(broken)} of the adapter's tensors contain NaN or infinity: "
            f"{listed(broken)}. No adapter is written. Lower finetune.learning_rate, or raise finetune.warmup"
        )
    metadata = {"format": "pt", BASE_WEIGHTS: weights_digest(its_base)}
    # Written as bytes, so that a full disk raises an ordinary `OSError`.
    (folder / "adapter_model.safetensors").write_bytes(to_bytes(weights, metadata))
    config.inference_mode = True
    config.base_model_name_or_path, config.revision = its_base["name"], its_base["revision"]
    # Sets of layer names have no fixed order; sort them so that the same adapter has the same bytes.
    content = {key: sorted(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}
    write_json(folder / "adapter_config.json", json.loads(json.dumps(content, default=str)))
    write_csv(folder / "training.csv", learning_curve(trainer.state))
    write_json(folder / "provenance.json", record)


def _dump(**blocks: BaseModel) -> dict[str, Any]:
    return {name: block.model_dump(mode="json") for name, block in blocks.items()}
