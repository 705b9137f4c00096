"""The log-probability of every label, from one forward pass over each post."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from babelgrid.errors import UserError
from babelgrid.model.examples import Example
from babelgrid.model.forward import answer_logits
from babelgrid.model.packing import collate, to_device
from babelgrid.prompts.answers import TokenPath

log = logging.getLogger(__name__)


@torch.inference_mode()
def label_log_probabilities(
    model: Any,
    prompts: Sequence[Sequence[int]],
    paths: Mapping[str, TokenPath],
    tokens_per_batch: int,
    scored: Callable[[int], object] = lambda posts: None,
) -> np.ndarray:
    """Return the natural log-probability [posts, labels] of each label's tokens, under the whole vocabulary.

    Labels are told apart by their first token as a rule, and then one forward pass is all. Where some share their
    first tokens, each inner node of the tree of paths costs one pass more. `scored` is told of the posts of each batch,
    once for each pass. Raises `UserError` where a log-probability is not finite: it would win or lose by chance.
    """
    scores = torch.zeros(len(prompts), len(paths), dtype=torch.float64, device=model.device)
    nodes = sorted({path[:length] for path in paths.values() for length in range(len(path))})
    for node in nodes:
        reaching = [(column, path[len(node)]) for column, path in enumerate(paths.values()) if _passes(path, node)]
        columns, tokens = torch.tensor(reaching, device=model.device).unbind(1)
        for rows in batches_by_length([len(prompt) for prompt in prompts], tokens_per_batch):
            # The last token of an example is predicted and not read, so any token may stand there.
            examples = [Example((*prompts[row], *node, 0), len(prompts[row]) + len(node)) for row in rows]
            where = torch.tensor(rows, device=model.device)[:, None]
            # Summed on the device, so that it need not wait for the host between two batches.
            scores[where, columns] += _log_probabilities(model, examples, tokens)
            scored(len(rows))
    finite = scores.isfinite().all(dim=1)
    if not finite.all():
        raise UserError(
            f"scoring: {int((~finite).sum())} of {len(prompts)} posts have a log-probability that is NaN or infinite, "
            f"in {model.dtype}, so nothing is written. The base or the adapter is damaged, or diverged in training: "
            "train it again with a lower finetune.learning_rate, or take another one"
        )
    return scores.cpu().numpy()


def _log_probabilities(model: Any, examples: Sequence[Example], tokens: torch.Tensor) -> torch.Tensor:
    """Return the log-probability [examples, tokens] of each token as the next one, in two halves where memory asks."""
    try:
        logits = answer_logits(model, to_device(collate(examples), model.device))
        return logits.float().log_softmax(-1)[:, tokens].double()
    except torch.OutOfMemoryError as error:
        if len(examples) == 1:
            raise UserError(
                f"no memory for one post of {len(examples[0].ids)} tokens beside the base; "
                "set base.weights: nf4, or take a device with more memory"
            ) from error
        log.warning("out of memory with %d posts at once: scoring them in two halves", len(examples))
    halves = examples[: len(examples) // 2], examples[len(examples) // 2 :]
    return torch.cat([_log_probabilities(model, half, tokens) for half in halves])


def _passes(path: TokenPath, node: TokenPath) -> bool:
    return len(path) > len(node) and path[: len(node)] == node


def batches_by_length(lengths: Sequence[int], tokens_per_batch: int) -> Iterator[list[int]]:
    """Yield row numbers in batches of like length, longest first, each within the token budget (or one row)."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > tokens_per_batch:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
