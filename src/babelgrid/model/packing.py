"""A batch without padding: the tokens that all its examples begin with once, then each example's own, end to end."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import TypedDict, cast

import torch

from babelgrid.model.examples import Example


class Batch(TypedDict):
    """T tokens in one line: a prefix of P that B examples share, then their own T - P; N predictions are made of them.

    An example's own tokens go on at the position where the prefix ends.
    """

    tokens: torch.Tensor
    """Token ids [T]."""
    positions: torch.Tensor
    """The place of each token in its own example [T]."""
    places: torch.Tensor
    """Where each own token stands when examples are laid out as rows of equal width [T - P], numbers below B * W."""
    rows: int
    """Examples B."""
    width: int
    """Own tokens W of the longest example."""
    index: torch.Tensor
    """The token from whose hidden state each prediction is made [N]."""
    index_places: torch.Tensor
    """Where these tokens stand when they are laid out as rows of equal width [N], numbers below B * index_width; those
    of the prefix stand in the first row."""
    index_width: int
    """Predictions of the example with the most."""
    targets: torch.Tensor
    """The token to predict [N]."""
    weights: torch.Tensor
    """How many examples a prediction stands for [N]."""


def collate(examples: Sequence[Example]) -> Batch:
    """Put examples together. The last token of an example is predicted and never read."""
    read = [example.ids[:-1] for example in examples]
    shared = _common_prefix_length(read)
    own = [ids[shared:] for ids in read]
    width = max(map(len, own))
    starts = list(accumulate(map(len, own), initial=shared))
    index, targets, weights = zip(*_predictions(examples, shared, starts), strict=True)
    index_places, index_width = _lay_out(index, starts)
    return {
        "tokens": torch.tensor([*read[0][:shared], *(token for ids in own for token in ids)]),
        "positions": torch.tensor([*range(shared), *(shared + i for ids in own for i in range(len(ids)))]),
        "places": torch.tensor([row * width + i for row, ids in enumerate(own) for i in range(len(ids))]),
        "rows": len(own),
        "width": width,
        "index": torch.tensor(index),
        "index_places": torch.tensor(index_places),
        "index_width": index_width,
        "targets": torch.tensor(targets),
        "weights": torch.tensor(weights, dtype=torch.float32),
    }


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch with its tensors on a device."""
    moved = {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}
    return cast(Batch, moved)


def _common_prefix_length(sequences: Sequence[Sequence[int]]) -> int:
    """Count the tokens that all sequences begin with, leaving each at least one of its own."""
    longest = min(len(ids) for ids in sequences) - 1
    first = sequences[0]
    for position in range(longest):
        if any(ids[position] != first[position] for ids in sequences):
            return position
    return longest


def _predictions(examples: Sequence[Example], shared: int, starts: Sequence[int]) -> list[tuple[int, int, int]]:
    """List (token whose hidden state predicts, token to predict, examples it stands for).

    starts: where each example's own tokens begin in the line.
    """
    # Inside the prefix all examples predict the same token from the same state: count it once, for all of them.
    first = min(example.first_target for example in examples)
    common = [(position - 1, examples[0].ids[position], len(examples)) for position in range(first, shared)]
    own = [
        (shared - 1 if position == shared else start + position - 1 - shared, example.ids[position], 1)
        for start, example in zip(starts, examples, strict=False)
        for position in range(max(example.first_target, shared), len(example.ids))
    ]
    return common + own


def _lay_out(index: Sequence[int], starts: Sequence[int]) -> tuple[list[int], int]:
    """Return the places of `Batch.index_places`, and the width of their rows."""
    rows = [max(bisect_right(starts, token) - 1, 0) for token in index]
    width = max(Counter(rows).values())
    taken = Counter[int]()
    places = []
    for row in rows:
        places.append(row * width + taken[row])
        taken[row] += 1
    return places, width
