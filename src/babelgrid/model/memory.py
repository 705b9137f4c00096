"""Find the largest micro-batch that fits in memory by trying the longest examples before training."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch

from babelgrid.config.finetune import Finetune
from babelgrid.errors import UserError
from babelgrid.model.examples import Example
from babelgrid.model.packing import collate

log = logging.getLogger(__name__)


def fit_memory(
    settings: Finetune, examples: list[Example], build: Callable[[Finetune, list[Example]], Any]
) -> Finetune:
    """Return the fastest of `memory_plans` whose largest micro-batch fits in memory.

    examples: all training examples. build: returns a trainer for given settings and examples.
    Adapter and optimizer are not modified. Raises `UserError` if no plan fits.
    """
    by_cost = sorted(examples, key=lambda example: len(example.ids), reverse=True)
    for plan in memory_plans(settings):
        longest = by_cost[: plan.micro_batch_size]
        try:
            _rehearse(build(plan, longest), longest)
        except torch.OutOfMemoryError:
            log.warning("out of memory with %s: trying with less; optimizer steps stay the same", _describe_plan(plan))
        else:
            log.info("training with %s", _describe_plan(plan))
            return plan
        # Outside the except block, the failed attempt's tensors are freed, so their memory can be released.
        torch.cuda.empty_cache()
    raise UserError(
        "not enough memory to train on one post at a time, even with gradient checkpointing. Set base.weights: nf4, "
        "lower prompt.max_post_tokens, or use a device with more memory"
    )


def memory_plans(settings: Finetune) -> Iterator[Finetune]:
    """Yield settings from the fastest to the least memory-intensive, all with the same optimizer steps.

    The micro-batch shrinks first, which costs little speed; gradient checkpointing, which halves the speed, comes last.
    """
    micro = settings.micro_batch_size or settings.batch_size
    for size in range(micro, 0, -1):
        if settings.batch_size % size == 0:
            yield settings.model_copy(update={"micro_batch_size": size})
    if not settings.gradient_checkpointing:
        yield settings.model_copy(update={"micro_batch_size": 1, "gradient_checkpointing": True})


def _rehearse(trainer: Any, examples: list[Example]) -> None:
    """Run the forward and backward pass of one micro-batch while holding the memory that the optimizer will need."""
    model = trainer.model
    if trainer.args.activation_checkpointing:
        model.activation_checkpointing_enable()
    moments = [torch.empty_like(weight) for weight in model.parameters() if weight.requires_grad for _ in range(2)]
    try:
        trainer.training_step(model, collate(examples))
    finally:
        model.zero_grad(set_to_none=True)
        del moments


def _describe_plan(plan: Finetune) -> str:
    checkpointing = " and gradient checkpointing" if plan.gradient_checkpointing else ""
    return f"{plan.micro_batch_size} of {plan.batch_size} posts at once{checkpointing}"
