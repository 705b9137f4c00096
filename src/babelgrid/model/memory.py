"""Which micro-batch fits the device: found by trying the longest one before training begins, and said in the log."""

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
    """Return the fastest of `memory_plans` whose most costly micro-batch fits.

    examples: all that will be trained on. build: makes the trainer of some examples under a plan.
    Adapter and optimizer are left as they are. Raises `UserError` where not even the most frugal plan fits.
    """
    by_cost = sorted(examples, key=lambda example: len(example.ids), reverse=True)
    for plan in memory_plans(settings):
        longest = by_cost[: plan.micro_batch_size]
        try:
            _rehearse(build(plan, longest), longest)
        except torch.OutOfMemoryError:
            log.warning("out of memory with %s: trying with less, the steps stay the same", _describe_plan(plan))
        else:
            log.info("memory holds %s", _describe_plan(plan))
            return plan
        # Here, where the failed attempt's tensors are gone, what they took can be given back.
        torch.cuda.empty_cache()
    raise UserError(
        "no memory to train on one post at a time, even with gradient checkpointing. Set base.weights: nf4, lower "
        "prompt.max_post_tokens, or take a device with more memory"
    )


def memory_plans(settings: Finetune) -> Iterator[Finetune]:
    """Yield settings from the fastest to the most frugal; each takes the same optimizer steps over the same posts.

    First the micro-batch shrinks, which costs little, then gradient checkpointing halves the speed.
    """
    micro = settings.micro_batch_size or settings.batch_size
    for size in range(micro, 0, -1):
        if settings.batch_size % size == 0:
            yield settings.model_copy(update={"micro_batch_size": size})
    if not settings.gradient_checkpointing:
        yield settings.model_copy(update={"micro_batch_size": 1, "gradient_checkpointing": True})


def _rehearse(trainer: Any, examples: list[Example]) -> None:
    """Take the forward and backward pass of one micro-batch, beside as much memory as the optimizer will need."""
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
