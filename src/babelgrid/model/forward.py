"""The forward pass over a shared prompt: a post pays for its own tokens, and for the vocabulary at its answer alone."""

from typing import Any

import torch

from babelgrid.model.packing import Batch


def decoder_and_head(model: Any) -> tuple[Any, torch.nn.Module]:
    """Return the body that makes hidden states and the matrix that makes logits, of a base with or without adapter."""
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    return causal.get_decoder(), causal.get_output_embeddings()


def answer_logits(model: Any, batch: Batch) -> torch.Tensor:
    """Return the logits [N, vocabulary] of a batch's N predictions.

    The model's attention must be `attention.packed_attention`. Tokens that nothing is predicted from end at the last
    layer's attention: the rest of that layer, and the vocabulary, are met at the predictions' places alone.
    """
    decoder, head = decoder_and_head(model)
    dtype = decoder.embed_tokens.weight.dtype
    # The adapter's weights are float32; beside a base in 16 bits they are to be multiplied in 16 bits too.
    with torch.autocast(batch["tokens"].device.type, dtype, enabled=dtype != torch.float32):
        hidden = decoder.embed_tokens(batch["tokens"][None])
        angles = decoder.rotary_emb(hidden, position_ids=batch["positions"][None])
        context = {"position_embeddings": angles, "attention_mask": None, "packed": batch}
        *layers, last = decoder.layers
        for layer in layers:
            hidden = layer(hidden, **context)
        attended, _ = last.self_attn(last.input_layernorm(hidden), **context)
        hidden = (hidden + attended)[0].index_select(0, batch["index"])
        hidden = hidden + last.mlp(last.post_attention_layernorm(hidden))
        return head(decoder.norm(hidden))  # type: ignore[no-any-return]


def summed_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Return the cross-entropy in nats, summed over the predictions of all examples."""
    logits = answer_logits(model, batch).float()
    losses = torch.nn.functional.cross_entropy(logits, batch["targets"], reduction="none")
    return (losses * batch["weights"]).sum()
