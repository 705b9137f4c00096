"""Compute the logits of labels in float32 when the base is in 16 bits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from babelgrid.model.forward import causal_model


@contextmanager
def exact_logits(model: Any, tokens: torch.Tensor) -> Iterator[None]:
    """While active, the head computes the logits of these tokens in float32, from its hidden states in 16 bits.

    In bfloat16, logits near 20 are multiples of 1/8, so labels tie, and the first of them would always win. The head
    returns all logits in float32, so that what the model does with them (soft caps, scales) does not round either.
    Only a head that is a plain linear layer is changed, and none in float32.

    tokens: token ids [n], each once.
    """
    head = causal_model(model).get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.weight.dtype == torch.float32:
        yield
        return
    weight = head.weight.index_select(0, tokens).float()
    bias = None if head.bias is None else head.bias.index_select(0, tokens).float()

    def replace(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...], logits: torch.Tensor) -> torch.Tensor:
        with torch.autocast(logits.device.type, enabled=False):
            exact = torch.nn.functional.linear(inputs[0].float(), weight, bias)
        return logits.float().index_copy(-1, tokens, exact)

    handle = head.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()
