"""The forward pass over a shared prompt: a post pays for its own tokens, and for the vocabulary at its answer alone."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache

from babelgrid.model.base import decoder_and_head
from babelgrid.model.examples import Example

Batch = dict[str, torch.Tensor]


def collate(examples: Sequence[Example], share_prefix: bool = True) -> Batch:
    """Put examples together: the tokens that all begin with once, and what is each one's own padded on the right.

    Returns prefix [P], suffix [B, S], and for each of N predictions its place in the P + B*S hidden states
    (`index` [N]), the token to predict (`targets` [N]) and how many examples it stands for (`weights` [N]).
    The last token of an example is only predicted, so it is not read. Padding needs no mask: it comes after all real
    tokens, where a causal model cannot see it from.
    """
    read = [example.ids[:-1] for example in examples]
    shared = _common_prefix_length(read) if share_prefix else 0
    width = max(len(ids) for ids in read) - shared
    suffix = torch.zeros(len(read), width, dtype=torch.long)
    for row, ids in enumerate(read):
        suffix[row, : len(ids) - shared] = torch.tensor(ids[shared:])
    index, targets, weights = zip(*_predictions(examples, shared, width), strict=True)
    return {
        "prefix": torch.tensor(read[0][:shared], dtype=torch.long),
        "suffix": suffix,
        "index": torch.tensor(index),
        "targets": torch.tensor(targets),
        "weights": torch.tensor(weights, dtype=torch.float32),
    }


def _common_prefix_length(sequences: Sequence[Sequence[int]]) -> int:
    """Count the tokens that all sequences begin with, leaving each at least one of its own."""
    longest = min(len(ids) for ids in sequences) - 1
    first = sequences[0]
    for position in range(longest):
        if any(ids[position] != first[position] for ids in sequences):
            return position
    return longest


def _predictions(examples: Sequence[Example], shared: int, width: int) -> list[tuple[int, int, int]]:
    """List (place of the hidden state, token to predict, examples it stands for)."""
    # Inside the prefix all examples predict the same token from the same state: count it once, for all of them.
    first = min(example.first_target for example in examples)
    common = [(position - 1, examples[0].ids[position], len(examples)) for position in range(first, shared)]
    own = [
        (shared - 1 if position == shared else shared + row * width + position - 1 - shared, example.ids[position], 1)
        for row, example in enumerate(examples)
        for position in range(max(example.first_target, shared), len(example.ids))
    ]
    return common + own


def answer_logits(model: Any, batch: Batch) -> torch.Tensor:
    """Return the logits [N, vocabulary] of a batch's N predictions; the vocabulary is met nowhere else."""
    decoder, head = decoder_and_head(model)
    hidden = _hidden_states(decoder, batch["prefix"], batch["suffix"])
    return head(hidden[batch["index"]])  # type: ignore[no-any-return]


def _hidden_states(decoder: Any, prefix: torch.Tensor, suffix: torch.Tensor) -> torch.Tensor:
    """Return the last hidden states [P + B*S, width]: the prefix's, computed once and with gradient, then the rows'."""
    if not len(prefix):
        return decoder(input_ids=suffix, use_cache=False).last_hidden_state.flatten(0, 1)  # type: ignore[no-any-return]
    of_prefix = decoder(input_ids=prefix[None], use_cache=True)
    cache = DynamicCache()
    for number, layer in enumerate(of_prefix.past_key_values.layers):
        shape = (len(suffix), -1, -1, -1)
        cache.update(layer.keys.expand(shape), layer.values.expand(shape), number)
    of_rows = decoder(input_ids=suffix, past_key_values=cache, use_cache=True)
    return torch.cat([of_prefix.last_hidden_state[0], of_rows.last_hidden_state.flatten(0, 1)])


def summed_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Return the cross-entropy in nats, summed over the predictions of all examples."""
    logits = answer_logits(model, batch).float()
    losses = torch.nn.functional.cross_entropy(logits, batch["targets"], reduction="none")
    return (losses * batch["weights"]).sum()
