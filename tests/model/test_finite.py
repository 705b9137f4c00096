"""Non-finite numbers stop training and scoring with an error and never become a label."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerControl, TrainerState

from babelgrid.config.finetune import Lora, Predict
from babelgrid.config.prompt import Prompt
from babelgrid.errors import UserError
from babelgrid.model import finetune as training
from babelgrid.model import trainer
from babelgrid.model.base import Device, load_base
from babelgrid.model.finite import StopAtNonFinite
from babelgrid.model.predict import load_adapted, predict
from babelgrid.model.score import label_log_probabilities
from babelgrid.runtime.files import read_parquet
from babelgrid.runtime.usage import Usage
from training import BASE, LABELS, SETTINGS, train

EACH_STEP = SETTINGS.model_copy(update={"checkpoint_steps": 1})


def spoil(monkeypatch, step, value):
    """Multiply the loss of a step (from 1) by a value."""
    summed_loss, calls = trainer.summed_loss, []

    def spoilt(model, batch):
        calls.append(1)
        return summed_loss(model, batch) * (value if len(calls) == step else 1)

    monkeypatch.setattr(trainer, "summed_loss", spoilt)


@pytest.mark.slow
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_non_finite_loss_stops_training_without_adapter(posts, random_base, tmp_path, monkeypatch, value):
    spoil(monkeypatch, 3, value)
    words = r"at step 3 of 12 the loss is (nan|inf) .* learning rate 0\.005 in torch\.float32\. No adapter is written"
    with pytest.raises(UserError, match=words):
        train(posts, random_base(), tmp_path / "adapter", EACH_STEP, checkpoints=tmp_path / "state")
    assert not (tmp_path / "adapter").exists()
    curve = pd.read_csv(tmp_path / "state/training.csv")
    assert curve["step"].tolist() == [1, 2, 3]
    assert np.isfinite(curve["loss"][:2]).all()
    assert not np.isfinite(curve["loss"][2])
    assert not (tmp_path / "state/checkpoint-3").exists()


@pytest.mark.slow
def test_diverging_learning_rate_is_named(posts, random_base, tmp_path):
    settings = SETTINGS.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(UserError, match=r"learning rate 1e\+30 in torch\.float32"):
        train(posts, random_base(), tmp_path / "adapter", settings)
    assert not (tmp_path / "adapter").exists()


@pytest.mark.slow
def test_non_finite_adapter_is_not_written(posts, random_base, tmp_path, monkeypatch):
    state_of = training.get_peft_model_state_dict

    def spoilt(*arguments, **keywords):
        state = state_of(*arguments, **keywords)
        return {name: tensor / 0 if "layers.1" in name else tensor for name, tensor in state.items()}

    monkeypatch.setattr(training, "get_peft_model_state_dict", spoilt)
    with pytest.raises(UserError, match=r"after the last step .* tensors contain NaN or infinity: .*layers\.1"):
        train(posts, random_base(), tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


def told(loss, norm, scale=None):
    """Pass the logged numbers of one step to the callback."""
    callback = StopAtNonFinite(None)
    callback.scaler = None if scale is None else SimpleNamespace(get_scale=lambda: scale)
    logs = {"loss": loss, "grad_norm": norm, "learning_rate": 0.1}
    arguments = SimpleNamespace(bf16=False, fp16=scale is not None)
    callback.on_log(arguments, TrainerState(global_step=1, max_steps=2), TrainerControl(), logs)


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1), (math.inf, 1), (-math.inf, 1), (1, math.nan), (1, math.inf)])
def test_step_with_non_finite_number_stops_training(loss, norm):
    with pytest.raises(UserError, match=r"the loss is .* and the gradient norm"):
        told(loss, norm)


def test_float16_step_that_lowers_the_scale_is_allowed():
    told(1.0, math.inf, scale=65536.0)
    with pytest.raises(UserError, match="float16"):
        told(1.0, math.inf, scale=0.5)
    with pytest.raises(UserError, match="float16"):
        told(math.nan, 1.0, scale=65536.0)


@pytest.mark.slow
def test_learning_curve_has_every_step(posts, random_base, tmp_path):
    folder = train(posts, random_base(), tmp_path / "adapter")
    assert pd.read_csv(folder / "training.csv")["step"].tolist() == list(range(1, 13))
    assert not (tmp_path / "checkpoints/training.csv").exists()


def spoilt_base(random_base, value):
    """Return a base that gives NaN or infinity for one token only, so that the checks at loading pass."""
    model = load_base(random_base(), BASE, Device("cpu", torch.float32))
    model.model.embed_tokens.weight.data[300] = value
    return model


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("paths", [{"pro": (60,), "anti": (61,)}, {"1": (60, 1), "10": (60, 61), "2": (62,)}])
def test_non_finite_log_probability_is_refused(random_base, value, paths):
    model = spoilt_base(random_base, value)
    with pytest.raises(UserError, match=r"scoring: . of 2 posts have a log-probability that is NaN or infinite"):
        label_log_probabilities(model, [[0, 30, 40], [0, 300, 5]], paths, tokens_per_batch=64)


def test_non_finite_predictions_are_not_written(posts, random_base, tmp_path, monkeypatch):
    monkeypatch.setattr("babelgrid.model.predict.load_adapted", lambda *_: spoilt_base(random_base, math.nan))
    frame = {language: read_parquet(path) for language, path in posts.items()}
    outputs = {language: tmp_path / f"predictions/{language}.parquet" for language in frame}
    monkeypatch.setattr("babelgrid.model.predict.encode_prompts", lambda _, texts, *__: [[0, 300, 7]] * len(texts))
    arguments = {"base": BASE, "prompt": Prompt(), "labels": LABELS, "settings": Predict(), "usage": Usage()}
    with pytest.raises(UserError, match="6 of 6 posts have a log-probability that is NaN or infinite"):
        predict(random_base(), None, posts, outputs, tmp_path / "kept", **arguments, code="x")
    assert not (tmp_path / "predictions").exists()


@pytest.mark.slow
def test_trained_adapter_is_finite(posts, random_base, tmp_path):
    settings = SETTINGS.model_copy(update={"lora": Lora(rank=2)})
    folder = train(posts, random_base(), tmp_path / "adapter", settings)
    assert all(tensor.isfinite().all() for tensor in load_file(folder / "adapter_model.safetensors").values())
    assert load_adapted(random_base(), folder, BASE) is not None
