"""Attention over a packed batch: every example sees the shared prefix and, of the rest, its own earlier tokens.

All other layers work on tokens one by one and need not know what belongs together. Registered with transformers under
the name `ATTENTION`, so that any of its models that takes its attention from there computes packed batches too.
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
    """Return the attention's output [1, T, heads, width of a head] for query, key, value [1, heads, T, width].

    packed: the batch that the T tokens come from; without it this is transformers' own `sdpa` attention.
    Raises `UserError` where a model looks back over fewer tokens than a prompt has.
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
            f"base: its attention reaches {reach} tokens back, and prompts are up to {longest} long. "
            "Lower prompt.max_post_tokens, or take another base"
        )


def attention_of_predictions(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, packed: Batch, *, dropout: float, scaling: float
) -> torch.Tensor:
    """Return the attention's output [N, heads, width of a head] for the queries of a batch's N predictions alone.

    query: [1, heads, N, width]. key, value: [1, heads of keys, T, width], of all tokens.
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
    """Lay keys or values of all tokens [1, heads, T, width of a head] out as rows [B, heads, P + W, the same]."""
    shared = tokens.shape[2] - len(packed["places"])
    own = _as_rows(tokens[:, :, shared:], packed["places"], packed["rows"], packed["width"])
    return torch.cat([tokens[:, :, :shared].expand(packed["rows"], -1, -1, -1), own], dim=2)


def _as_rows(tokens: torch.Tensor, places: torch.Tensor, rows: int, width: int) -> torch.Tensor:
    """Lay tokens [1, heads, N, width of a head] out as rows [B, heads, W, width of a head], with zeros between them.

    The zeros need no mask: they come after all real tokens of their row, where a causal model cannot see them from.
    """
    line = tokens[0].transpose(0, 1)
    filled = line.new_zeros(rows * width, *line.shape[1:]).index_copy_(0, places, line)
    return filled.view(rows, width, *line.shape[1:]).transpose(1, 2)


def _may_see(width: int, shared: int, device: torch.device) -> torch.Tensor | None:
    """Return the mask [W, P + W]: all of the prefix, and what comes no later; None where plain causality says it."""
    return torch.ones(width, shared + width, dtype=torch.bool, device=device).tril(shared) if shared else None


AttentionInterface.register(ATTENTION, packed_attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
