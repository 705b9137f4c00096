"""Attention over a packed batch: each example attends to the shared prefix and to its own earlier tokens.

All other layers process tokens independently and need no information on packing. The attention is registered with
transformers as `ATTENTION`, so any model that uses the attention registry supports packed batches.
"""

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from babelgrid.errors import UserError
from babelgrid.model.packing import Batch

ATTENTION = "babelgrid"


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    packed: Batch | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention output [1, T, heads, head width] for query, key, value [1, heads, T, head width].

    packed: the batch of the T tokens; without it, use transformers' own `sdpa` attention.
    Raises `UserError` if the model's sliding window is shorter than a prompt.
    """
    if packed is None:
        window = {"sliding_window": sliding_window, **others}
        return sdpa_attention_forward(  # type: ignore[no-untyped-call,no-any-return,unused-ignore]
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **window
        )
    shared = query.shape[2] - len(packed["places"])
    _check_window(sliding_window, shared + packed["width"])
    options: dict[str, Any] = {"dropout_p": dropout, "scale": scaling, "enable_gqa": key.shape[1] != query.shape[1]}
    rows = _as_rows(query[:, :, shared:], packed["places"], packed["rows"], packed["width"])
    mask = _may_see(packed["width"], shared, query.device)
    of_rows = scaled_dot_product_attention(
        rows, _with_prefix(key, packed), _with_prefix(value, packed), attn_mask=mask, is_causal=mask is None, **options
    )
    of_own = of_rows.transpose(1, 2).flatten(0, 1).index_select(0, packed["places"])
    if not shared:
        return of_own[None], None
    prefix_query, prefix_key, prefix_value = (tensor[:, :, :shared] for tensor in (query, key, value))
    of_prefix = scaled_dot_product_attention(prefix_query, prefix_key, prefix_value, is_causal=True, **options)
    return torch.cat([of_prefix[0].transpose(0, 1), of_own])[None], None


def _check_window(reach: int | None, longest: int) -> None:
    if reach is not None and longest > reach:
        raise UserError(
            f"base: its attention reaches {reach} tokens back, but prompts are up to {longest} tokens long. "
            "Lower prompt.max_post_tokens, or use another base"
        )


def attention_of_predictions(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, packed: Batch, *, dropout: float, scaling: float
) -> torch.Tensor:
    """Return the attention output [N, heads, head width] for the queries of a batch's N predictions only.

    query: [1, heads, N, head width]. key, value: [1, key heads, T, head width], for all tokens.
    """
    places, width = packed["index_places"], packed["index_width"]
    keys = _with_prefix(key, packed)
    positions = query.new_zeros(packed["rows"] * width, dtype=torch.long)
    positions.index_copy_(0, places, packed["positions"].index_select(0, packed["index"]))
    mask = torch.arange(keys.shape[2], device=query.device) <= positions.view(packed["rows"], 1, width, 1)
    of_rows = scaled_dot_product_attention(
        _as_rows(query, places, packed["rows"], width),
        keys,
        _with_prefix(value, packed),
        attn_mask=mask,
        dropout_p=dropout,
        scale=scaling,
        enable_gqa=key.shape[1] != query.shape[1],
    )
    return of_rows.transpose(1, 2).flatten(0, 1).index_select(0, places)


def _with_prefix(tokens: torch.Tensor, packed: Batch) -> torch.Tensor:
    """Arrange keys or values of all tokens [1, heads, T, head width] as rows [B, heads, P + W, head width]."""
    shared = tokens.shape[2] - len(packed["places"])
    own = _as_rows(tokens[:, :, shared:], packed["places"], packed["rows"], packed["width"])
    return torch.cat([tokens[:, :, :shared].expand(packed["rows"], -1, -1, -1), own], dim=2)


def _as_rows(tokens: torch.Tensor, places: torch.Tensor, rows: int, width: int) -> torch.Tensor:
    """Arrange tokens [1, heads, N, head width] as rows [B, heads, W, head width], padded with zeros.

    The padding needs no mask: it follows all real tokens of its row, so causal attention never reaches it.
    """
    line = tokens[0].transpose(0, 1)
    filled = line.new_zeros(rows * width, *line.shape[1:]).index_copy_(0, places, line)
    return filled.view(rows, width, *line.shape[1:]).transpose(1, 2)


def _may_see(width: int, shared: int, device: torch.device) -> torch.Tensor | None:
    """Return the causal mask [W, P + W] over prefix and own tokens, or None if `is_causal` is sufficient."""
    return torch.ones(width, shared + width, dtype=torch.bool, device=device).tril(shared) if shared else None


AttentionInterface.register(ATTENTION, packed_attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
