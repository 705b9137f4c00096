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
    if sliding_window is not None and shared + packed["width"] > sliding_window:
        raise UserError(
            f"base: its attention reaches {sliding_window} tokens back, and prompts are up to "
            f"{shared + packed['width']} long. Lower prompt.max_post_tokens, or take another base"
        )
    options: dict[str, Any] = {"dropout_p": dropout, "scale": scaling, "enable_gqa": key.shape[1] != query.shape[1]}
    prefix_query, prefix_key, prefix_value = (tensor[:, :, :shared] for tensor in (query, key, value))
    own_query, own_key, own_value = (_as_rows(tensor[0, :, shared:], packed) for tensor in (query, key, value))
    keys, values = (
        torch.cat([whole.expand(packed["rows"], -1, -1, -1), own], dim=2)
        for whole, own in ((prefix_key, own_key), (prefix_value, own_value))
    )
    mask = _may_see(packed["width"], shared, query.device)
    of_rows = scaled_dot_product_attention(own_query, keys, values, attn_mask=mask, is_causal=mask is None, **options)
    of_own = of_rows.transpose(1, 2).flatten(0, 1).index_select(0, packed["places"])
    if not shared:
        return of_own[None], None
    of_prefix = scaled_dot_product_attention(prefix_query, prefix_key, prefix_value, is_causal=True, **options)
    return torch.cat([of_prefix[0].transpose(0, 1), of_own])[None], None


def _as_rows(own: torch.Tensor, packed: Batch) -> torch.Tensor:
    """Lay own tokens [heads, T - P, width] out as rows [B, heads, W, width], with zeros after the shorter ones.

    The zeros need no mask: they come after all real tokens of their row, where a causal model cannot see them from.
    """
    heads, _, width = own.shape
    rows = own.new_zeros(packed["rows"] * packed["width"], heads, width)
    filled = rows.index_copy(0, packed["places"], own.transpose(0, 1))
    return filled.view(packed["rows"], packed["width"], heads, width).transpose(1, 2)


def _may_see(width: int, shared: int, device: torch.device) -> torch.Tensor | None:
    """Return the mask [W, P + W]: all of the prefix, and what comes no later; None where plain causality says it."""
    return torch.ones(width, shared + width, dtype=torch.bool, device=device).tril(shared) if shared else None


AttentionInterface.register(ATTENTION, packed_attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
