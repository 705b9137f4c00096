"""Pack examples into a batch without padding: the shared prefix once, then each example's own tokens."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import TypedDict, cast

import torch

from babelgrid.model.examples import Example


class Batch(TypedDict):
    """T tokens in one sequence: a prefix of P tokens shared by B examples, then their own T - P tokens.

    The batch has N predictions. The positions of each example's own tokens start where the prefix ends.
    """

    tokens: torch.Tensor
    """Token ids [T]."""
    positions: torch.Tensor
    """Position of each token in its example [T]."""
    places: torch.Tensor
    """Index of each own token when examples are arranged as rows of equal width [T - P], below B * W."""
    rows: int
    """Number of examples B."""
    width: int
    """Number of own tokens W of the longest example."""
    index: torch.Tensor
    """Index of the token from whose hidden state each prediction is made [N]."""
    index_places: torch.Tensor
    """Index of these tokens when they are arranged as rows of equal width [N], below B * index_width; tokens of the
    prefix are in the first row."""
    index_width: int
    """Largest number of predictions of any example."""
    targets: torch.Tensor
    """Token to predict [N]."""
    weights: torch.Tensor
    """Number of examples that a prediction represents [N]."""


def collate(examples: Sequence[Example]) -> Batch:
    """Pack examples into a batch. The last token of an example is only predicted, so it is not an input."""
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
    """Return the batch with its tensors moved to a device."""
    moved = {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}
    return cast(Batch, moved)


def _common_prefix_length(sequences: Sequence[Sequence[int]]) -> int:
    """Return the length of the longest common prefix that leaves each sequence at least one token."""
    longest = min(len(ids) for ids in sequences) - 1
    first = sequences[0]
    for position in range(longest):
        if any(ids[position] != first[position] for ids in sequences):
            return position
    return longest


def _predictions(examples: Sequence[Example], shared: int, starts: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return a list of (index of the predicting token, token to predict, number of examples represented).

    starts: index of each example's first own token in the batch.
    """
    # Inside the prefix, all examples predict the same token from the same state: compute it once, weighted.
    first = min(example.first_target for example in examples)
    common = [(position - 1, examples[0].ids[position], len(examples)) for position in range(first, shared)]
    own = [
        (shared - 1 if position == shared else start + position - 1 - shared, example.ids[position], 1)
        for start, example in zip(starts, examples, strict=False)
        for position in range(max(example.first_target, shared), len(example.ids))
    ]
    return common + own


def _lay_out(index: Sequence[int], starts: Sequence[int]) -> tuple[list[int], int]:
    """Return `Batch.index_places` and `Batch.index_width`."""
    rows = [max(bisect_right(starts, token) - 1, 0) for token in index]
    width = max(Counter(rows).values())
    taken = Counter[int]()
    places = []
    for row in rows:
        places.append(row * width + taken[row])
        taken[row] += 1
    return places, width
