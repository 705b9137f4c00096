"""Compute the log-probability of every label, as a rule with one forward pass per post."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from babelgrid.errors import UserError
from babelgrid.model.exact_logits import exact_logits
from babelgrid.model.examples import Example
from babelgrid.model.forward import answer_logits
from babelgrid.model.packing import collate, to_device
from babelgrid.prompts.answers import TokenPath

log = logging.getLogger(__name__)

TOKENS_SHOWN = 3


@torch.inference_mode()
def label_log_probabilities(
    model: Any,
    prompts: Sequence[Sequence[int]],
    paths: Mapping[str, TokenPath],
    tokens_per_batch: int,
    scored: Callable[[int], object] = lambda posts: None,
) -> np.ndarray:
    """Return the natural log-probability [posts, labels] of each label's tokens, over the full vocabulary.

    One forward pass suffices if all labels differ in their first token, as they usually do. If labels share first
    tokens, each inner node of the tree of token paths takes one more pass.

    scored: callback that receives the number of posts scored, once per batch and pass.
    Raises `UserError` if a log-probability is not finite, since the predicted label would be arbitrary.
    """
    scores = torch.zeros(len(prompts), len(paths), dtype=torch.float64, device=model.device)
    nodes = sorted({path[:length] for path in paths.values() for length in range(len(path))})
    for node in nodes:
        reaching = [(column, path[len(node)]) for column, path in enumerate(paths.values()) if _passes(path, node)]
        columns, tokens = torch.tensor(reaching, device=model.device).unbind(1)
        distinct = torch.tensor(sorted({token for _, token in reaching}), device=model.device)
        with exact_logits(model, distinct):
            for rows in batches_by_length([len(prompt) for prompt in prompts], tokens_per_batch):
                # The last token of an example is only predicted and never an input, so any token will do.
                examples = [Example((*prompts[row], *node, 0), len(prompts[row]) + len(node)) for row in rows]
                where = torch.tensor(rows, device=model.device)[:, None]
                # Summed on the device, which then does not wait for the host between batches.
                scores[where, columns] += _read_logits(model, examples, partial(_log_probabilities, tokens=tokens))
                scored(len(rows))
    finite = scores.isfinite().all(dim=1)
    if not finite.all():
        raise UserError(
            f"scoring: {int((~finite).sum())} of {len(prompts)} posts have a log-probability that is NaN or infinite, "
            f"in {model.dtype}, so nothing is written. The base or the adapter is damaged, or training diverged: "
            "train again with a lower finetune.learning_rate, or use another base or adapter"
        )
    return scores.cpu().numpy()


@torch.inference_mode()
def preferred_tokens(model: Any, prompts: Sequence[Sequence[int]], tokens_per_batch: int) -> list[tuple[int, int]]:
    """Return the tokens that the model most often ranks first after a prompt, and for how many prompts, at most three.

    Tokens that come first only once are left out, since they may repeat a word of one post.
    """
    first: Counter[int] = Counter()
    for rows in batches_by_length([len(prompt) for prompt in prompts], tokens_per_batch):
        examples = [Example((*prompts[row], 0), len(prompts[row])) for row in rows]
        first.update(_read_logits(model, examples, lambda logits: logits.argmax(-1)).tolist())
    return [(token, count) for token, count in first.most_common(TOKENS_SHOWN) if count > 1]


def _log_probabilities(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    return logits.float().log_softmax(-1)[:, tokens].double()


def _read_logits(model: Any, examples: Sequence[Example], read: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Return `read` of the logits [examples, vocabulary] of each next token; split the batch if it exceeds the memory.

    read: function of the logits whose first dimension is that of the examples.
    """
    try:
        return read(answer_logits(model, to_device(collate(examples), model.device)))
    except torch.OutOfMemoryError as error:
        if len(examples) == 1:
            raise UserError(
                f"not enough memory for one post of {len(examples[0].ids)} tokens in addition to the base; "
                "set base.weights: nf4, or use a device with more memory"
            ) from error
        log.warning("out of memory with %d posts at once: scoring them in two halves", len(examples))
    halves = examples[: len(examples) // 2], examples[len(examples) // 2 :]
    return torch.cat([_read_logits(model, half, read) for half in halves])


def _passes(path: TokenPath, node: TokenPath) -> bool:
    return len(path) > len(node) and path[: len(node)] == node


def batches_by_length(lengths: Sequence[int], tokens_per_batch: int) -> Iterator[list[int]]:
    """Yield batches of row numbers with similar lengths, longest first, each within the token budget (or one row)."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > tokens_per_batch:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
