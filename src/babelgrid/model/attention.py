"""Attention over a packed batch: each example attends to the shared prefix and to its own earlier tokens.

All other layers process tokens independently and need no information on packing. The attention is registered with
transformers as `ATTENTION`, so any model that uses the attention registry supports packed batches. In a packed batch,
the index of a key in its example equals its position, so causal masks and sliding windows compare indices.

On CUDA, cuDNN's attention is never used: it makes a plan for every new shape (116 to 151 ms on an H200), and packed
batches have many. A causal mask of own tokens over prefix and own tokens is PyTorch's `causal_lower_right`, for which
flash attention runs.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import CausalBias, causal_lower_right
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from babelgrid.model.packing import Batch

ATTENTION = "babelgrid"
BACKENDS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


@dataclass(frozen=True)
class Scores:
    """How attention scores become weights."""

    dropout: float
    scaling: float | None
    softcap: float | None = None
    sinks: torch.Tensor | None = None

    @property
    def are_plain(self) -> bool:
        """Return whether PyTorch's own attention computes these scores."""
        return self.softcap is None and self.sinks is None


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
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention output [1, T, heads, head width] for query, key, value [1, heads, T, head width].

    packed: the batch of the T tokens; without it, all sequences are complete and `attention_mask` is transformers' own.
    sliding_window: number of most recent tokens that a token attends to, including itself; None for all.
    softcap: bound of the scores (Gemma 2, arXiv 2408.00118). s_aux: one sink score per head (gpt-oss).
    """
    scores = Scores(dropout, scaling, softcap, s_aux)
    if packed is None and scores.are_plain:
        window = {"sliding_window": sliding_window, **others}
        with sdpa_kernel(BACKENDS):
            return sdpa_attention_forward(  # type: ignore[no-untyped-call,no-any-return,unused-ignore]
                module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **window
            )
    if packed is None:
        visible = _causal_mask(query.shape[2], 0, None, query.device) if attention_mask is None else attention_mask
        return _attend(query, key, value, visible, scores).transpose(1, 2), None
    return _attend_packed(query, key, value, packed, sliding_window, scores), None


def _attend_packed(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, packed: Batch, window: int | None, scores: Scores
) -> torch.Tensor:
    """Return the attention output [1, T, heads, head width] for the tokens of a packed batch."""
    shared = query.shape[2] - len(packed["places"])
    rows = _as_rows(query[:, :, shared:], packed["places"], packed["rows"], packed["width"])
    mask = _mask_unless_causal(packed["width"], shared, window, query.device, scores)
    of_rows = _attend(rows, _with_prefix(key, packed), _with_prefix(value, packed), mask, scores)
    of_own = of_rows.transpose(1, 2).flatten(0, 1).index_select(0, packed["places"])
    if not shared:
        return of_own[None]
    mask = _mask_unless_causal(shared, 0, window, query.device, scores)
    of_prefix = _attend(query[:, :, :shared], key[:, :, :shared], value[:, :, :shared], mask, scores)
    return torch.cat([of_prefix[0].transpose(0, 1), of_own])[None]


def attention_of_predictions(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    packed: Batch,
    *,
    dropout: float,
    scaling: float,
    sliding_window: int | None = None,
) -> torch.Tensor:
    """Return the attention output [N, heads, head width] for the queries of a batch's N predictions only.

    query: [1, heads, N, head width]. key, value: [1, key heads, T, head width], for all tokens.
    """
    places, width = packed["index_places"], packed["index_width"]
    keys = _with_prefix(key, packed)
    positions = query.new_zeros(packed["rows"] * width, dtype=torch.long)
    positions.index_copy_(0, places, packed["positions"].index_select(0, packed["index"]))
    mask = _visible(positions.view(packed["rows"], 1, width, 1), keys.shape[2], sliding_window)
    rows = _as_rows(query, places, packed["rows"], width)
    of_rows = _attend(rows, keys, _with_prefix(value, packed), mask, Scores(dropout, scaling))
    return of_rows.transpose(1, 2).flatten(0, 1).index_select(0, places)


def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scores: Scores
) -> torch.Tensor:
    """Return the attention output [B, heads, Q, head width].

    mask: True where a query sees a key, or the `CausalBias` of such a mask if the scores are plain; None for causal.
    """
    groups = query.shape[1] // key.shape[1]
    if scores.are_plain:
        if query.is_cuda and mask is not None and not isinstance(mask, CausalBias):
            # Flash attention takes no mask; memory-efficient attention does, but no grouped heads.
            key, value, groups = _repeated(key, groups), _repeated(value, groups), 1
        with sdpa_kernel(BACKENDS):
            return scaled_dot_product_attention(
                query,
                key,
                value,
                attn_mask=mask,
                is_causal=mask is None,
                dropout_p=scores.dropout,
                scale=scores.scaling,
                enable_gqa=groups > 1,
            )
    key, value = _repeated(key, groups), _repeated(value, groups)
    raw = query @ key.mT * (query.shape[-1] ** -0.5 if scores.scaling is None else scores.scaling)
    if scores.softcap is not None:
        raw = scores.softcap * torch.tanh(raw / scores.softcap)
    visible = _causal_mask(query.shape[2], 0, None, query.device) if mask is None else mask
    raw = raw.float().masked_fill(~visible, float("-inf"))
    if scores.sinks is not None:
        raw = torch.cat([raw, scores.sinks.float().view(1, -1, 1, 1).expand(*raw.shape[:3], 1)], dim=-1)
    weights = raw.softmax(-1)[..., : key.shape[2]].to(value.dtype)
    return torch.nn.functional.dropout(weights, scores.dropout) @ value


def _repeated(tokens: torch.Tensor, groups: int) -> torch.Tensor:
    """Return keys or values [B, heads, K, head width], each key head once for each query head of its group."""
    return tokens.repeat_interleave(groups, dim=1) if groups > 1 else tokens


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


def _mask_unless_causal(
    width: int, shared: int, window: int | None, device: torch.device, scores: Scores
) -> torch.Tensor | None:
    """Return the mask [W, P + W] of own tokens over prefix and own tokens, or None if `is_causal` is sufficient."""
    if window is not None and window < shared + width:
        return _causal_mask(width, shared, window, device)
    if not shared:
        return None
    if device.type == "cuda" and scores.are_plain:
        return causal_lower_right(width, shared + width)
    return _causal_mask(width, shared, None, device)


def _causal_mask(width: int, shared: int, window: int | None, device: torch.device) -> torch.Tensor:
    positions = torch.arange(shared, shared + width, device=device)
    return _visible(positions[:, None], shared + width, window)


def _visible(positions: torch.Tensor, keys: int, window: int | None) -> torch.Tensor:
    """Return whether queries at `positions` [..., 1] see each of the first `keys` positions [..., keys]."""
    indices = torch.arange(keys, device=positions.device)
    seen = indices <= positions
    return seen if window is None else seen & (indices > positions - window)


AttentionInterface.register(ATTENTION, packed_attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
