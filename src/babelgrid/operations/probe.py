"""Measure how fast this device trains (20 optimizer steps) and scores, or derive the speed from a data sheet."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from transformers import set_seed

from babelgrid.config.base import Base
from babelgrid.config.finetune import Finetune, Predict
from babelgrid.config.prompt import Label, Prompt
from babelgrid.model.base import Device, choose_device, load_base, name_of
from babelgrid.model.examples import train_examples
from babelgrid.model.lora import add_adapter
from babelgrid.model.score import label_log_probabilities
from babelgrid.model.trainer import build_trainer, training_arguments
from babelgrid.operations.shipped import read_shipped
from babelgrid.prompts.answers import label_paths
from babelgrid.prompts.template import encode_prompts, frame_of
from babelgrid.prompts.tokenizer import load_base_tokenizer
from babelgrid.resources import parameters_in
from babelgrid.runtime.files import read_json, read_parquet, write_json
from babelgrid.runtime.usage import seconds_of_process

log = logging.getLogger(__name__)

STEPS = 20
SCORED_POSTS = 512
# Pre-training takes 6 operations per parameter and token (Kaplan et al. 2020, arXiv 2001.08361, section 2.1); a frozen
# base saves the 2 for its own gradient. Scoring takes 2.
OPERATIONS_TO_TRAIN = 4
OPERATIONS_TO_SCORE = 2
SHARE_OF_PEAK = 0.3
"""Assumed share of the data sheet's peak performance; not measured."""
START_SECONDS_FROM_DATA_SHEET = 60.0


def probe_speed(
    posts_path: Path,
    base_path: Path,
    *,
    base: Base,
    prompt: Prompt,
    labels: Mapping[str, Label],
    settings: Finetune,
    predict: Predict,
    gpu: str | None,
    out: Path,
) -> None:
    """Write device, source (`measured` or `data sheet`), seconds to start, tokens per second, and bytes of an adapter.

    gpu: the GPU that jobs will use if this machine has none; its speed is then taken from gpus.csv.
    Tokens are counted over complete prompts, one post each, as in tokens.parquet.
    """
    device = choose_device(base)
    if gpu is not None and device.name == "cpu":
        write_json(out, _from_data_sheet(gpu, Path(read_json(base_path)["folder"])))
        return
    set_seed(0)
    model = add_adapter(load_base(base_path, base, device), settings.lora)
    started = seconds_of_process()
    posts = read_parquet(posts_path, ["id", "language", "text", "label", "split"])
    train = _sample(posts[posts["split"] == "train"], STEPS * settings.batch_size)
    test = _sample(posts[posts["split"] == "test"], SCORED_POSTS)
    tokenizer = load_base_tokenizer(base_path)
    trained = _tokens_trained_per_second(model, train, prompt, labels, settings, tokenizer, device, out.parent)
    scored = _tokens_scored_per_second(model.eval(), test, prompt, labels, predict, tokenizer)
    weights = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    content = {"device": name_of(device), "source": "measured", "start_seconds": started}
    write_json(out, content | {"trained": trained, "scored": scored, "adapter_bytes": 4 * weights})


def _tokens_trained_per_second(
    model: Any,
    posts: pd.DataFrame,
    prompt: Prompt,
    labels: Mapping[str, Label],
    settings: Finetune,
    tokenizer: Any,
    device: Device,
    folder: Path,
) -> float:
    once = settings.model_copy(update={"epochs": 1, "report_to": []})
    examples = train_examples(posts, prompt, labels, settings.loss, tokenizer)
    trainer = build_trainer(model, examples, training_arguments(once, device, 0, folder))
    start = time.monotonic()
    trainer.train()
    return sum(len(example.ids) for example in examples) / (time.monotonic() - start)


def _tokens_scored_per_second(
    model: Any, posts: pd.DataFrame, prompt: Prompt, labels: Mapping[str, Label], settings: Predict, tokenizer: Any
) -> float:
    tokens, seconds = 0, 0.0
    for language, rows in posts.groupby("language", sort=False):
        start = time.monotonic()
        frame = frame_of(prompt, str(language), tokenizer)
        prompts = encode_prompts(frame, rows["text"].tolist(), tokenizer, prompt.max_post_tokens)
        paths = label_paths(prompt, labels, str(language), tokenizer)
        label_log_probabilities(model, prompts, paths, settings.tokens_per_batch)
        seconds += time.monotonic() - start
        tokens += sum(map(len, prompts))
    return tokens / seconds


def _from_data_sheet(gpu: str, folder: Path) -> dict[str, Any]:
    sheet = read_shipped("gpus.csv", key="gpu", value="teraflops")
    parameters = parameters_in(folder)
    usable = SHARE_OF_PEAK * 1e12 * sheet[gpu]
    return {
        "device": gpu,
        "source": "data sheet",
        "start_seconds": START_SECONDS_FROM_DATA_SHEET,
        "trained": usable / (OPERATIONS_TO_TRAIN * parameters),
        "scored": usable / (OPERATIONS_TO_SCORE * parameters),
        "adapter_bytes": int(0.03 * parameters),
    }


def _sample(posts: pd.DataFrame, count: int) -> pd.DataFrame:
    return posts.sample(min(count, len(posts)), random_state=0).reset_index(drop=True)
