"""Pre-train the lab's base: a small Llama whose exposure to every language is known exactly."""

import csv
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from babelgrid.config.base import LabBase
from babelgrid.errors import UserError
from babelgrid.lab.compose import chance
from babelgrid.lab.stream import language_shares
from babelgrid.lab.tokens import BOS, EOS, PAD, TokenStream, train_tokenizer, write_stream
from babelgrid.runtime.files import provenance, write_folder, write_json
from babelgrid.runtime.usage import Usage, working

log = logging.getLogger(__name__)

POSITIONS = 2048
WARM_UP = 0.1
WEIGHT_DECAY = 0.1
GRADIENT_NORM = 1.0
SHARE_TOLERANCE = 0.01
STEPS_PER_LOG_LINE = 50

Curve = list[tuple[int, float]]


def pretrain_base(settings: LabBase, seed: int, threads: int, out: Path, usage: Usage) -> None:
    """Write a standard Hugging Face folder with a Llama trained from scratch on the lab's stream.

    Also writes exposure.json (tokens seen of each language, counted exactly), pretraining.csv (step, loss) and
    provenance.json. The same settings, seed and threads give the same model bytes on the same machine. Training always
    runs on the CPU: the model is too small to gain from a GPU, and the bytes stay the same.
    usage: record that receives the tokens and the seconds of training.
    """
    torch.set_num_threads(threads)
    tokenizer = train_tokenizer(settings, seed)
    stream = write_stream(settings, tokenizer, seed)
    log.info("stream: %d tokens, %d in the vocabulary", len(stream.ids), tokenizer.get_vocab_size())
    _warn_of_missed_shares(stream, settings)
    model = _new_model(settings, tokenizer, seed)
    log.info("model: %d parameters", model.num_parameters())
    with working(usage):
        curve = train(model, rows_of(stream, settings, seed), settings, _next_token_loss)
    usage.device, usage.tokens = f"CPU, threads: {threads}", len(stream.ids)

    def fill(folder: Path) -> None:
        model.save_pretrained(folder)
        save_tokenizer(tokenizer, folder)
        write_json(folder / "exposure.json", asdict(stream.exposure()))
        write_curve(folder / "pretraining.csv", curve)
        stage = {"lab": settings.model_dump(mode="json"), "seed": seed, "threads": threads}
        write_json(folder / "provenance.json", provenance(stage, inputs=[]))

    write_folder(out, fill)


def _warn_of_missed_shares(stream: TokenStream, settings: LabBase) -> None:
    """Warn of shares that were not reached: each bilingual document takes tokens from the strong languages."""
    exposure = stream.exposure()
    for language, share in language_shares(settings).items():
        reached = exposure.tokens[language] / exposure.total
        if abs(reached - share) > SHARE_TOLERANCE:
            message = "%s has %.1f%% of the stream instead of %.1f%%: lower parallel, code_switched or switch_rate"
            log.warning(message, language, 100 * reached, 100 * share)


def _new_model(settings: LabBase, tokenizer: Tokenizer, seed: int) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=settings.hidden_size,
        intermediate_size=width_of_layers(settings),
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=max(POSITIONS, settings.context),
        tie_word_embeddings=True,
        bos_token_id=tokenizer.token_to_id(BOS),
        eos_token_id=tokenizer.token_to_id(EOS),
        pad_token_id=tokenizer.token_to_id(PAD),
        use_cache=True,
    )
    torch.manual_seed(seed)
    return LlamaForCausalLM(config)


def width_of_layers(settings: LabBase) -> int:
    """Return the inner width of a layer: 8/3 of the model's, in multiples of 64."""
    return 64 * max(1, round(settings.hidden_size * 8 / 3 / 64))


def rows_of(stream: TokenStream, settings: LabBase, seed: int) -> torch.Tensor:
    """Split the stream into rows and shuffle them; shape (steps, batch_rows, context). Each token occurs once."""
    rows = stream.ids.reshape(-1, settings.context)
    order = chance(seed, "rows").permutation(len(rows))
    return torch.from_numpy(rows[order].astype(np.int64)).reshape(-1, settings.batch_rows, settings.context)


def train(
    model: Any, batches: torch.Tensor, settings: LabBase, loss_of: Callable[[Any, torch.Tensor], torch.Tensor]
) -> Curve:
    """Train on each batch once and return the loss of each step; `loss_of` computes it for the model and a batch.

    Raises `UserError` at the first loss that is not finite.
    """
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}],
        lr=settings.learning_rate,
        betas=(0.9, 0.95),
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _pace(step, len(batches)))
    model.train()
    curve: Curve = []
    started = time.monotonic()
    for step, batch in enumerate(batches, start=1):
        loss = loss_of(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        curve.append((step, loss.item()))
        if not math.isfinite(curve[-1][1]):
            raise UserError(
                f"base.lab: at step {step} of {len(batches)} the loss is {curve[-1][1]:g}, with peak learning rate "
                f"{settings.learning_rate:g} in float32. No base was written. Lower base.lab.learning_rate"
            )
        if step % STEPS_PER_LOG_LINE == 0 or step == len(batches):
            _log_progress(curve, batches, time.monotonic() - started)
    return curve


def _pace(step: int, steps: int) -> float:
    """Return the learning rate at a step (from 0) as a fraction of its peak: linear warm-up, then cosine decay to 0."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 + 0.5 * math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))


def _next_token_loss(model: LlamaForCausalLM, batch: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy of next tokens: the model's own loss, but without copies of the logits."""
    hidden = model.model(input_ids=batch, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden[:, :-1].flatten(0, 1))
    return torch.nn.functional.cross_entropy(logits, batch[:, 1:].flatten())


def _log_progress(curve: Curve, batches: torch.Tensor, seconds: float) -> None:
    step, steps = len(curve), len(batches)
    loss = np.mean([loss for _, loss in curve[-STEPS_PER_LOG_LINE:]])
    speed = step * batches[0].numel() / seconds
    log.info(
        "step %d of %d: loss %.3f, %.0f tokens/s, %.0f s left",
        step,
        steps,
        loss,
        speed,
        seconds / step * (steps - step),
    )


def save_tokenizer(tokenizer: Tokenizer, folder: Path, **more: str) -> None:
    """Save the tokenizer in Hugging Face layout; more: further named tokens, such as `mask_token`."""
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        model_max_length=POSITIONS,
        clean_up_tokenization_spaces=False,
        **more,
    ).save_pretrained(folder)


def write_curve(path: Path, curve: Curve) -> None:
    """Write the loss of each step as CSV."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["step", "loss"])
        writer.writerows((step, f"{loss:.4f}") for step, loss in curve)
