"""The fastest forward pass, for Llama-like decoders: the last layer is computed only where tokens are predicted."""

from typing import Any

import torch
from transformers.models.llama.modeling_llama import rotate_half

from babelgrid.model.attention import attention_of_predictions
from babelgrid.model.packing import Batch


def thin_logits(causal: Any, batch: Batch) -> torch.Tensor:
    """Return the logits [N, vocabulary] of a batch's N predictions.

    The model's attention must be `attention.packed_attention`. The last layer computes keys and values for all tokens,
    but everything else, like the output matrix, only for the N tokens that something is predicted from.
    """
    decoder, head = causal.get_decoder(), causal.get_output_embeddings()
    hidden = decoder.embed_tokens(batch["tokens"][None])
    angles = decoder.rotary_emb(hidden, position_ids=batch["positions"][None])
    context = {"position_embeddings": angles, "attention_mask": None, "packed": batch}
    *layers, last = decoder.layers
    for layer in layers:
        hidden = layer(hidden, **context)
    return head(decoder.norm(_predict_from(last, hidden, angles, batch)))  # type: ignore[no-any-return]


def _predict_from(
    layer: Any, hidden: torch.Tensor, angles: tuple[torch.Tensor, torch.Tensor], batch: Batch
) -> torch.Tensor:
    """Return a Llama layer's output [N, width] at the N predictions, given hidden states [1, T, width]."""
    attention, index = layer.self_attn, batch["index"]
    normed = layer.input_layernorm(hidden)
    key = _rotate(_heads(attention, "k", normed), *angles)
    asking, *its_angles = (tensor.index_select(1, index) for tensor in (normed, *angles))
    query = _rotate(_heads(attention, "q", asking), *its_angles)
    attended = attention_of_predictions(
        query,
        key,
        _heads(attention, "v", normed),
        batch,
        dropout=attention.attention_dropout if attention.training else 0.0,
        scaling=attention.scaling,
        sliding_window=getattr(attention, "sliding_window", None),
    )
    hidden = hidden[0].index_select(0, index) + attention.o_proj(attended.flatten(1))
    return hidden + layer.mlp(layer.post_attention_layernorm(hidden))  # type: ignore[no-any-return]


def _heads(attention: Any, name: str, tokens: torch.Tensor) -> torch.Tensor:
    """Return queries, keys or values [1, heads, T, head width], normalised if the model has a norm for them."""
    projected = getattr(attention, f"{name}_proj")(tokens).unflatten(-1, (-1, attention.head_dim))
    norm = getattr(attention, f"{name}_norm", torch.nn.Identity())
    return norm(projected).transpose(1, 2)  # type: ignore[no-any-return]


def _rotate(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Apply rotary position embeddings (RoPE, arXiv 2104.09864) to queries or keys [1, heads, T, head width]."""
    return heads * cos[:, None] + rotate_half(heads) * sin[:, None]  # type: ignore[no-untyped-call,no-any-return]
