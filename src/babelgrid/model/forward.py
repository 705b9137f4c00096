"""Logits only where tokens are predicted, computed in one of three ways.

- `thin`: Llama-like decoders; a shared prompt prefix once, the last layer only at the predictions (`thin`).
- `packed`: the model's own layers and head over a packed batch, a shared prompt prefix once.
- `padded`: the model's own forward pass over padded prompts, which is right for any causal language model.

`forward_path` chooses the first that equals the model's own forward pass.
"""

import inspect
from collections.abc import Callable
from typing import Any, Literal

import torch

from babelgrid.model.packing import Batch
from babelgrid.model.thin import thin_logits

ForwardPath = Literal["thin", "packed", "padded"]


def causal_model(model: Any) -> Any:
    """Return the causal language model of a base, with or without an adapter."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def answer_logits(model: Any, batch: Batch) -> torch.Tensor:
    """Return the logits [N, vocabulary] of a batch's N predictions, by the path that the base was loaded with."""
    causal = causal_model(model)
    dtype = causal.get_input_embeddings().weight.dtype
    # The adapter's weights are float32; if the base is in 16 bits, multiply by them in 16 bits too.
    with torch.autocast(batch["tokens"].device.type, dtype, enabled=dtype != torch.float32):
        return LOGITS[causal.forward_path](causal, batch)


def packed_logits(causal: Any, batch: Batch) -> torch.Tensor:
    """Return the logits [N, vocabulary] of a batch's N predictions, from the model's own layers and head.

    The model's attention must be `attention.packed_attention`, which needs no mask. A mask of four dimensions keeps
    transformers from building one, since it counts as complete.
    """
    no_mask = batch["tokens"].new_zeros((1, 1, 1, 1), dtype=torch.bool)
    return causal(  # type: ignore[no-any-return]
        input_ids=batch["tokens"][None],
        position_ids=batch["positions"][None],
        attention_mask=no_mask,
        use_cache=False,
        logits_to_keep=batch["index"],
        packed=batch,
    ).logits[0]


def padded_logits(causal: Any, batch: Batch) -> torch.Tensor:
    """Return the logits [N, vocabulary] of a batch's N predictions, from the model's own forward pass.

    Prompts are padded on the right: in a causal model, attentive or recurrent, no token sees what follows it.
    """
    shared, width = len(batch["tokens"]) - len(batch["places"]), batch["width"]
    own = batch["tokens"].new_zeros(batch["rows"] * width)
    own.index_copy_(0, batch["places"], batch["tokens"][shared:])
    real = torch.zeros_like(own).index_fill_(0, batch["places"], 1).view(-1, width)
    prefix = batch["tokens"][:shared].expand(batch["rows"], -1)
    rows, columns = rows_and_columns(batch)
    needed, column = torch.unique(columns, return_inverse=True)
    inputs = {
        "input_ids": torch.cat([prefix, own.view(-1, width)], dim=1),
        "attention_mask": torch.cat([torch.ones_like(prefix), real], dim=1),
        "use_cache": False,
    }
    if "logits_to_keep" in inspect.signature(causal.forward).parameters:
        logits = causal(**inputs, logits_to_keep=needed).logits
    else:
        logits = causal(**inputs).logits[:, needed]
    return logits[rows, column]  # type: ignore[no-any-return]


def rows_and_columns(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the row and the column [N] of each prediction when prompts are padded; the prefix is read in row 0."""
    shared = len(batch["tokens"]) - len(batch["places"])
    in_prefix = batch["index"] < shared
    place = batch["places"][(batch["index"] - shared).clamp(min=0)]
    rows = torch.where(in_prefix, 0, place // batch["width"])
    columns = torch.where(in_prefix, batch["index"], shared + place % batch["width"])
    return rows, columns


LOGITS: dict[ForwardPath, Callable[[Any, Batch], torch.Tensor]] = {
    "thin": thin_logits,
    "packed": packed_logits,
    "padded": padded_logits,
}
"""Functions of the paths, fastest first."""


def summed_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Return the cross-entropy in nats, summed over all predictions of all examples."""
    logits = answer_logits(model, batch).float()
    losses = torch.nn.functional.cross_entropy(logits, batch["targets"], reduction="none")
    return (losses * batch["weights"]).sum()
