"""If memory runs out, training and scoring continue with smaller batches and the same result."""

import logging

import pandas as pd
import pytest
import torch

from babelgrid.config.base import Base
from babelgrid.config.finetune import Finetune, Lora
from babelgrid.config.prompt import Label, Prompt
from babelgrid.errors import UserError
from babelgrid.model import score, trainer
from babelgrid.model.base import Device, load_base
from babelgrid.model.examples import train_examples
from babelgrid.model.lora import add_adapter
from babelgrid.model.memory import fit_memory, memory_plans
from babelgrid.model.predict import score_posts
from babelgrid.model.trainer import build_trainer, training_arguments
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json

CPU = Device("cpu", torch.float32)
LABELS = {"pro": Label(answer=" pro"), "anti": Label(answer=" anti")}
SETTINGS = Finetune(epochs=1, batch_size=4, learning_rate=5e-3, lora=Lora(rank=4, dropout=0.0))
POSTS = pd.DataFrame(
    {
        "id": [str(number) for number in range(8)],
        "language": "en",
        "text": ["welcome " * (1 + number) for number in range(8)],
        "label": ["pro", "anti"] * 4,
    }
)


@pytest.fixture
def task(random_base, tmp_path):
    """Return a new adapter, train examples, and a function that builds their trainer."""
    torch.manual_seed(0)
    model = add_adapter(load_base(random_base(), Base(folder="x"), CPU), SETTINGS.lora)
    tokenizer = load_tokenizer(read_json(random_base())["folder"])
    examples = train_examples(POSTS, Prompt(), LABELS, "label", tokenizer)

    def build(plan, some):
        return build_trainer(model, some, training_arguments(plan, CPU, 0, tmp_path))

    return model, examples, build


def hold_at_most(monkeypatch, posts, *, with_checkpointing):
    """Simulate running out of memory above this number of posts, or at any number without gradient checkpointing."""
    summed_loss = trainer.summed_loss

    def limited(model, batch):
        frugal = any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
        if batch["rows"] > posts or (with_checkpointing and not frugal):
            raise torch.OutOfMemoryError("pretended")
        return summed_loss(model, batch)

    monkeypatch.setattr(trainer, "summed_loss", limited)


def adapter_of(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters() if weight.requires_grad]).clone()


def test_plans_shrink_micro_batch_before_checkpointing():
    plans = [(plan.micro_batch_size, plan.gradient_checkpointing) for plan in memory_plans(Finetune(batch_size=12))]
    assert plans == [(12, False), (6, False), (4, False), (3, False), (2, False), (1, False), (1, True)]


def test_plans_start_from_the_configured_values():
    asked = Finetune(batch_size=8, micro_batch_size=2, gradient_checkpointing=True)
    plans = [(plan.micro_batch_size, plan.gradient_checkpointing) for plan in memory_plans(asked)]
    assert plans == [(2, True), (1, True)]


@pytest.mark.slow
def test_out_of_memory_shrinks_micro_batch_with_same_adapter(task, monkeypatch, caplog):
    model, examples, build = task
    start = {name: weight.clone() for name, weight in model.state_dict().items()}
    build(SETTINGS, examples).train()
    whole = adapter_of(model)
    model.load_state_dict(start)

    hold_at_most(monkeypatch, 2, with_checkpointing=False)
    with caplog.at_level(logging.INFO):
        plan = fit_memory(SETTINGS, examples, build)
    assert (plan.micro_batch_size, plan.batch_size, plan.gradient_checkpointing) == (2, 4, False)
    assert "out of memory with 4 of 4 posts at once" in caplog.text
    assert "training with 2 of 4 posts at once" in caplog.text
    build(plan, examples).train()
    torch.testing.assert_close(adapter_of(model), whole, rtol=1e-3, atol=1e-6)


def test_gradient_checkpointing_is_tried_last(task, monkeypatch):
    _, examples, build = task
    hold_at_most(monkeypatch, 1, with_checkpointing=True)
    plan = fit_memory(SETTINGS, examples, build)
    assert (plan.micro_batch_size, plan.gradient_checkpointing) == (1, True)


def test_too_little_memory_for_training_is_one_error(task, monkeypatch):
    _, examples, build = task
    hold_at_most(monkeypatch, 0, with_checkpointing=False)
    with pytest.raises(UserError, match=r"lower prompt\.max_post_tokens"):
        fit_memory(SETTINGS, examples, build)


@pytest.mark.slow
def test_memory_test_does_not_change_training(task):
    model, examples, build = task
    dropping = SETTINGS.model_copy(update={"lora": Lora(rank=4, dropout=0.1)})
    start = {name: weight.clone() for name, weight in model.state_dict().items()}
    build(dropping, examples).train()
    without = adapter_of(model)
    model.load_state_dict(start)
    fit_memory(dropping, examples, build)
    assert all(torch.equal(weight, start[name]) for name, weight in model.state_dict().items())
    build(dropping, examples).train()
    assert torch.equal(adapter_of(model), without)


def test_scoring_out_of_memory_splits_the_batch(task, random_base, monkeypatch, caplog):
    model, _, _ = task
    tokenizer = load_tokenizer(read_json(random_base())["folder"])
    arguments = (model.eval(), tokenizer, POSTS, "en", Prompt(), LABELS)
    whole = score_posts(*arguments, tokens_per_batch=10_000)
    answer_logits = score.answer_logits

    def limited(model, batch):
        if batch["rows"] > 2:
            raise torch.OutOfMemoryError("pretended")
        return answer_logits(model, batch)

    monkeypatch.setattr(score, "answer_logits", limited)
    halved = score_posts(*arguments, tokens_per_batch=10_000)
    pd.testing.assert_frame_equal(halved, whole, rtol=1e-5)
    assert "out of memory with 8 posts at once: scoring them in two halves" in caplog.text


def test_too_little_memory_for_scoring_is_one_error(task, random_base, monkeypatch):
    model, _, _ = task
    tokenizer = load_tokenizer(read_json(random_base())["folder"])

    def never(model, batch):
        raise torch.OutOfMemoryError("pretended")

    monkeypatch.setattr(score, "answer_logits", never)
    with pytest.raises(UserError, match="not enough memory for one post of"):
        score_posts(model.eval(), tokenizer, POSTS, "en", Prompt(), LABELS, tokens_per_batch=10_000)
