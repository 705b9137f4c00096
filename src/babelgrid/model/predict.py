"""Score one adapter on test languages."""

import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import PreTrainedTokenizerBase

from babelgrid.config.base import Base
from babelgrid.config.finetune import Predict
from babelgrid.config.prompt import Label, Prompt, label_settings
from babelgrid.errors import UserError
from babelgrid.improbable import median_if_improbable
from babelgrid.model.adapter import add_trained_adapter, merge
from babelgrid.model.base import Device, choose_device, describe_device, load_base, note_device
from babelgrid.model.checkpoints import digest
from babelgrid.model.predictions import predictions_of
from babelgrid.model.score import label_log_probabilities, preferred_tokens
from babelgrid.prompts.answers import label_paths
from babelgrid.prompts.template import encode_prompts, frame_of
from babelgrid.prompts.tokenizer import load_base_tokenizer
from babelgrid.runtime.files import provenance, publish, read_parquet, write_parquet
from babelgrid.runtime.progress import progress_bar
from babelgrid.runtime.usage import Usage, working

log = logging.getLogger(__name__)

POSTS_EXAMINED = 64
"""Posts for which the tokens that the model prefers to every answer are counted."""


def predict(
    base_path: Path,
    adapter: Path | None,
    posts: Mapping[str, Path],
    outputs: Mapping[str, Path],
    kept: Path,
    *,
    base: Base,
    prompt: Prompt,
    labels: Mapping[str, Label],
    settings: Predict,
    code: str,
    usage: Usage,
    pivot: str | None = None,
) -> None:
    """Write the predictions for each language's test posts: id, gold, predicted, and logp_<label> for every label.

    adapter: folder of the adapter's weights, or None for the untuned base.
    posts, outputs: the posts file and the predictions file of each test language.
    kept: folder for finished languages, so that a restarted job does not score them again; removed at the end.
    code: digest of the scoring code; kept files from different code, inputs, settings or device are ignored.
    usage: receives the posts and tokens scored, and the device.
    pivot: language of the texts if they are translations; their prompts are those of this language.
    """
    weights = [] if adapter is None else [adapter / "adapter_model.safetensors"]
    answers = label_settings(labels)
    record = {"prompt": prompt.model_dump(mode="json"), "labels": answers, "base": base.model_dump(mode="json")}
    spoken = {"pivot": pivot} if pivot else {}
    records = {language: provenance(record | spoken, [base_path, path, *weights]) for language, path in posts.items()}
    made_by = [settings.model_dump(mode="json"), list(labels), code, describe_device(choose_device(base))]
    parts = {name: kept / f"{name}-{digest([own, made_by])}.parquet" for name, own in records.items()}
    left = {language: path for language, path in posts.items() if not _is_whole(parts[language])}
    for language, predictions in _score(left, base_path, adapter, base, prompt, labels, settings, usage, pivot):
        write_parquet(parts[language], predictions, records[language])
    for language, part in parts.items():
        outputs[language].parent.mkdir(parents=True, exist_ok=True)
        publish(part, outputs[language])
    shutil.rmtree(kept)


def _score(
    posts: Mapping[str, Path],
    base_path: Path,
    adapter: Path | None,
    base: Base,
    prompt: Prompt,
    labels: Mapping[str, Label],
    settings: Predict,
    usage: Usage,
    pivot: str | None,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each language with the predictions for its test posts; load the model only if there are languages."""
    if not posts:
        return
    tokenizer = load_base_tokenizer(base_path)
    model = load_adapted(base_path, adapter, base)
    for language, path in posts.items():
        frame = read_parquet(path, ["id", "text", "label", "split"])
        test = frame[frame["split"] == "test"].reset_index(drop=True)
        with working(usage):
            spoken = pivot or language
            scored = score_posts(model, tokenizer, test, spoken, prompt, labels, settings.tokens_per_batch, usage)
        yield language, scored
    note_device(usage, choose_device(base))


def _is_whole(part: Path) -> bool:
    """Return whether an earlier, interrupted job has already scored a language."""
    if not part.exists():
        return False
    try:
        read_parquet(part)
    except UserError:
        log.warning("%s is damaged: scoring again", part)
        return False
    log.info("%s is already complete", part)
    return True


def load_adapted(base_path: Path, adapter: Path | None, base: Base, device: Device | None = None) -> Any:
    """Load the base, with an adapter if one is given, ready to score.

    device: defaults to the one that `choose_device` returns.

    In float32 the adapter is merged into the weights: log-probabilities change only by rounding, and each layer saves
    two matrix products. In 16 bits the adapter stays separate, since merging would round its small values away.
    """
    model: Any = load_base(base_path, base, device or choose_device(base))
    if adapter is not None:
        model = add_trained_adapter(model, adapter, base_path)
        if model.dtype == torch.float32:
            model = merge(model, adapter)
    return model.eval()


def score_posts(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    posts: pd.DataFrame,
    language: str,
    prompt: Prompt,
    labels: Mapping[str, Label],
    tokens_per_batch: int,
    usage: Usage | None = None,
) -> pd.DataFrame:
    """Return id, gold, predicted and logp_<label> (natural logarithm) for posts with columns id, text, label.

    usage: receives the posts and tokens scored, if given.
    """
    start = time.monotonic()
    prompts = encode_prompts(
        frame_of(prompt, language, tokenizer), posts["text"].tolist(), tokenizer, prompt.max_post_tokens
    )
    paths = label_paths(prompt, labels, language, tokenizer)
    with progress_bar(len(prompts), 0, " posts") as bar:
        scores = label_log_probabilities(model, prompts, paths, tokens_per_batch, bar.update)
    seconds = time.monotonic() - start
    tokens = sum(map(len, prompts))
    if usage is not None:
        usage.posts += len(posts)
        usage.tokens += tokens
    log.info(
        "%s: %d posts, %d tokens in %.1f s (%.0f posts/s, %.0f tokens/s)",
        language,
        len(posts),
        tokens,
        seconds,
        len(posts) / seconds,
        tokens / seconds,
    )
    median = median_if_improbable(scores)
    if median is not None:
        _warn_about_answers(model, tokenizer, prompts[:POSTS_EXAMINED], language, median, tokens_per_batch)
    return predictions_of(posts, scores, list(paths))


def _warn_about_answers(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    language: str,
    median: float,
    tokens_per_batch: int,
) -> None:
    """Log that no answer is probable after these prompts, and the tokens that the model prefers instead."""
    preferred = preferred_tokens(model, prompts, tokens_per_batch)
    words = ", ".join(f"{tokenizer.decode([token])!r} ({count} of {len(prompts)})" for token, count in preferred)
    log.warning(
        "%s: every answer is improbable: the median log-probability of a post's best answer is %.1f nats. The model "
        "would rather continue with: %s. Choose answers that the prompt leads to (labels, prompt.template)",
        language,
        median,
        words or "a different token for each post",
    )
