"""The log-probability of every label, from one forward pass over each post."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from babelgrid.model.examples import Example
from babelgrid.model.forward import answer_logits, collate
from babelgrid.prompts.answers import TokenPath


@torch.inference_mode()
def label_log_probabilities(
    model: Any, prompts: Sequence[Sequence[int]], paths: Mapping[str, TokenPath], tokens_per_batch: int
) -> np.ndarray:
    """Return the natural log-probability [posts, labels] of each label's tokens, under the whole vocabulary.

    Labels are told apart by their first token as a rule, and then one forward pass is all. Where some share their
    first tokens, each inner node of the tree of paths costs one pass more.
    """
    scores = np.zeros((len(prompts), len(paths)), dtype=np.float64)
    for node in sorted({path[:length] for path in paths.values() for length in range(len(path))}):
        reaching = [(column, path[len(node)]) for column, path in enumerate(paths.values()) if _passes(path, node)]
        columns = [column for column, _ in reaching]
        tokens = torch.tensor([token for _, token in reaching], device=model.device)
        for rows in batches_by_length([len(prompt) for prompt in prompts], tokens_per_batch):
            # The last token of an example is predicted and not read, so any token may stand there.
            examples = [Example((*prompts[row], *node, 0), len(prompts[row]) + len(node)) for row in rows]
            batch = {name: tensor.to(model.device) for name, tensor in collate(examples).items()}
            log_probabilities = answer_logits(model, batch).float().log_softmax(-1)[:, tokens]
            scores[np.ix_(rows, columns)] += log_probabilities.double().cpu().numpy()
    return scores


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
