"""Choose the forward path of a base by comparing each candidate with the model's own forward pass."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from babelgrid.errors import UserError, in_one_line
from babelgrid.model.attention import ATTENTION
from babelgrid.model.examples import Example
from babelgrid.model.forward import ForwardPath, answer_logits, causal_model, rows_and_columns, summed_loss
from babelgrid.model.packing import Batch, collate, to_device

log = logging.getLogger(__name__)

# (path, attention), fastest first. Some models support only their own attention, `eager`.
CANDIDATES: tuple[tuple[ForwardPath, str], ...] = (
    ("thin", ATTENTION),
    ("packed", ATTENTION),
    ("padded", "sdpa"),
    ("padded", "eager"),
)
# The examples share a prefix, have different lengths and predict at every position. Every vocabulary has their token
# ids.
EXAMPLES = (
    Example((0, 1, 2, 3, 4, 0), 1),
    Example((0, 1, 3, 0), 1),
    Example((0, 1, 4, 2, 2, 1, 3, 0), 1),
)


def choose_path(
    model: Any, source: object, first: ForwardPath = "thin", examples: Sequence[Example] = EXAMPLES
) -> None:
    """Starting at `first`, set the fastest path whose logits equal those of the model's own forward pass.

    source: the base, for messages. Raises `UserError` if the model's logits are not finite
    or depend on later tokens, or if no path gives the same logits.
    """
    causal = causal_model(model)
    expected = own_logits(model, examples)
    _check_finite(model, source, expected)
    _check_causal(model, source, examples[-1], expected[-1])
    candidates = _candidates(causal)
    paths = [path for path, _ in candidates]
    faults = []
    for path, attention in candidates[paths.index(first) :]:
        _use(causal, path, attention)
        fault = _fault(model, examples, expected)
        if fault is None:
            log.info("base: forward path %r with %r attention", path, causal.config._attn_implementation)
            return
        faults.append(f"{path}: {fault}")
        log.info("base: forward path %r cannot be used: %s", path, fault)
    raise UserError(
        f"{source}: {type(causal).__name__} computes its logits in an unsupported way ({'; '.join(faults)}). "
        "Use another base (docs/bases.md lists those that work)"
    )


def check_path(model: Any, source: object, examples: Sequence[Example] = EXAMPLES) -> torch.Tensor:
    """Return the model's own logits [tokens, vocabulary] for the first example, after checking those of its path.

    source: the base or adapter, for the message. Raises `UserError` if the path's logits differ, or if they
    are not finite.
    """
    expected = own_logits(model, examples)
    _check_finite(model, source, expected)
    fault = _fault(model, examples, expected)
    if fault is not None:
        path = causal_model(model).forward_path
        raise UserError(f"{source}: the forward path {path!r} of the base cannot be used ({fault}); report this bug")
    return expected[0]


def check_gradients(model: Any, examples: Sequence[Example] = EXAMPLES) -> None:
    """Move to the next path until the adapter's gradient equals that of the model's own forward pass.

    model: a base with an adapter; its gradients are cleared. The last path is the model's own.
    """
    causal = causal_model(model)
    candidates = _candidates(causal)
    first = candidates.index((causal.forward_path, causal.config._attn_implementation))
    for path, attention in candidates[first:]:
        _use(causal, path, attention)
        if gradient_error(model, examples) <= tolerance(model.dtype) or (path, attention) == candidates[-1]:
            break
        log.warning("base: forward path %r cannot be used: gradients differ from the model's own", path)
    model.zero_grad(set_to_none=True)


def gradient_error(model: Any, examples: Sequence[Example]) -> float:
    """Return the distance of the adapter's gradient from the model's own, relative to the norm of the latter."""
    causal = causal_model(model)
    chosen = causal.forward_path, causal.config._attn_implementation
    with _evaluating(model):
        ours = _gradient(model, examples)
        _use(causal, *CANDIDATES[-1])
        try:
            expected = _gradient(model, examples)
        finally:
            _use(causal, *chosen)
    return float((ours - expected).norm() / expected.norm())


@torch.inference_mode()
def own_logits(model: Any, examples: Sequence[Example]) -> list[torch.Tensor]:
    """Return the logits [tokens, vocabulary] of the model's own forward pass, one example at a time, in float32."""
    causal = causal_model(model)
    path: ForwardPath = getattr(causal, "forward_path", "padded")
    attention = causal.config._attn_implementation
    _use(causal, "padded", "eager")
    try:
        # As in `answer_logits`: the adapter's weights may be float32 while the base is in 16 bits.
        with torch.autocast(model.device.type, model.dtype, enabled=model.dtype != torch.float32):
            inputs = [torch.tensor([example.ids[:-1]], device=model.device) for example in examples]
            return [model(input_ids=ids, use_cache=False).logits[0].float() for ids in inputs]
    finally:
        _use(causal, path, attention)


def at_predictions(logits: Sequence[torch.Tensor], batch: Batch) -> torch.Tensor:
    """Return, of the logits [tokens, vocabulary] of each example, those of a batch's predictions [N, vocabulary]."""
    places = zip(*(index.tolist() for index in rows_and_columns(batch)), strict=True)
    return torch.stack([logits[row][column] for row, column in places])


def agree(values: torch.Tensor, others: torch.Tensor, dtype: torch.dtype) -> bool:
    """Return whether two computations of the same numbers [..., n] differ only by rounding; False for NaN."""
    return bool((_distances(values, others) <= tolerance(dtype)).all())


def _distances(values: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return the distance of each row of two matrices [rows, n], relative to the norm of the second's row [rows]."""
    size = others.norm(dim=-1).clamp(min=torch.finfo(others.dtype).tiny)
    distances: torch.Tensor = (values - others).norm(dim=-1) / size
    return distances


def tolerance(dtype: torch.dtype) -> float:
    """Return the relative error that rounding may cause."""
    # In 16 bits, two implementations of one computation accumulate rounding differently; another computation differs
    # far more.
    return 1e-3 if dtype == torch.float32 else 0.05


def _candidates(causal: Any) -> list[tuple[ForwardPath, str]]:
    """Return the candidates whose attention the model can switch to."""
    # Models whose attention cannot be replaced keep the one they were loaded with, `eager`.
    if not causal._can_set_attn_implementation():
        return [("thin", "eager"), ("packed", "eager"), ("padded", "eager")]
    return [candidate for candidate in CANDIDATES if candidate[1] != "sdpa" or causal._supports_sdpa]


def _use(causal: Any, path: ForwardPath, attention: str) -> None:
    causal.forward_path = path
    if causal.config._attn_implementation != attention:
        causal.set_attn_implementation(attention)


@torch.inference_mode()
def _fault(model: Any, examples: Sequence[Example], expected: Sequence[torch.Tensor]) -> str | None:
    """Return why the current path cannot be used, or None if its logits agree with the expected ones."""
    causal = causal_model(model)
    batch = to_device(collate(examples), model.device)
    try:
        ours = answer_logits(model, batch).float()
    except Exception as error:  # code written for other models may raise any exception
        return f"fails ({type(error).__name__}: {in_one_line(error)})"
    theirs = at_predictions(expected, batch)
    same = agree(ours, theirs, model.dtype)
    if not same and model.dtype != torch.float32:
        # The padded path is the model's own. In 16 bits, rounding alone may route a token to other experts.
        same = causal.forward_path == "padded" or _differ_by_rounding(model, examples, ours, theirs)
    return None if same else "its logits differ from the model's own"


def _differ_by_rounding(model: Any, examples: Sequence[Example], ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    """Return whether logits differ at most twice as much as the model's own two attentions, or than the tolerance."""
    permitted = (2 * _spread(model, examples, theirs)).clamp(min=tolerance(model.dtype))
    return bool((_distances(ours, theirs) <= permitted).all())


def _spread(model: Any, examples: Sequence[Example], theirs: torch.Tensor) -> torch.Tensor:
    """Return how far rounding alone moves each prediction [N]: the distance of the model's own two attentions.

    It is 0 for a model that supports only one. Some bases amplify rounding at tokens that never occur in text, which
    the examples contain: up to 12% of the logits of Gemma 3 270M in bfloat16.
    """
    causal = causal_model(model)
    chosen = causal.forward_path, causal.config._attn_implementation
    if ("padded", "sdpa") not in _candidates(causal):
        return theirs.new_zeros(len(theirs))
    _use(causal, "padded", "sdpa")
    try:
        return _distances(answer_logits(model, to_device(collate(examples), model.device)).float(), theirs)
    finally:
        _use(causal, *chosen)


def _check_finite(model: Any, source: object, logits: Sequence[torch.Tensor]) -> None:
    if not all(its.isfinite().all() for its in logits):
        raise UserError(
            f"{source}: outputs in {model.dtype} are not finite (NaN or infinity), so no label can be chosen. "
            "Its weights are damaged, or too large for this data type"
        )


def _check_causal(model: Any, source: object, example: Example, expected: torch.Tensor) -> None:
    """Raise `UserError` if a token's logits change with the tokens after it."""
    [shorter] = own_logits(model, [Example(example.ids[:4], 1)])
    if not agree(shorter, expected[:3], model.dtype):
        raise UserError(
            f"{source}: in {type(causal_model(model)).__name__}, a token's prediction depends on the tokens after it, "
            "so this is not a causal language model. Use a decoder"
        )


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Turn dropout off, then restore the mode of every module."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _gradient(model: Any, examples: Sequence[Example]) -> torch.Tensor:
    """Return the gradient of the summed loss with respect to all trainable weights [weights]."""
    model.zero_grad(set_to_none=True)
    summed_loss(model, to_device(collate(examples), model.device)).backward()  # type: ignore[no-untyped-call]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.cat([(torch.zeros_like(each) if each.grad is None else each.grad).flatten() for each in trained])
