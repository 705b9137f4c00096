"""Training learns, is reproducible to the byte and does not depend on the micro-batch size."""

import pandas as pd
import pytest
from safetensors.torch import load_file

from babelgrid import improbable
from babelgrid.config.finetune import Lora, Predict
from babelgrid.config.prompt import Prompt
from babelgrid.errors import UserError
from babelgrid.model.predict import predict
from babelgrid.runtime.files import read_json, read_parquet, sha256
from babelgrid.runtime.usage import Usage
from training import BASE, LABELS, SETTINGS, train

ARGUMENTS = {
    "base": BASE,
    "prompt": Prompt(),
    "labels": LABELS,
    "settings": Predict(),
    "code": "x",
    "usage": Usage(),
}


@pytest.mark.slow
def test_same_seed_gives_the_same_bytes(posts, random_base, tmp_path):
    first = train(posts, random_base(), tmp_path / "first")
    again = train(posts, random_base(), tmp_path / "again")
    other = train(posts, random_base(), tmp_path / "other", seed=1)
    for name in ("adapter_model.safetensors", "adapter_config.json", "training.csv", "provenance.json"):
        assert sha256(first / name) == sha256(again / name), name
    assert sha256(first / "adapter_model.safetensors") != sha256(other / "adapter_model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["label", "all"])
def test_micro_batch_size_does_not_change_the_steps(posts, random_base, tmp_path, loss):
    plain = SETTINGS.model_copy(update={"lora": Lora(rank=4, dropout=0.0), "loss": loss})
    whole = train(posts, random_base(), tmp_path / "whole", plain)
    cut = train(posts, random_base(), tmp_path / "cut", plain.model_copy(update={"micro_batch_size": 1}))
    expected, found = (load_file(folder / "adapter_model.safetensors") for folder in (whole, cut))
    for name, tensor in expected.items():
        assert (found[name] - tensor).norm() <= 1e-3 * tensor.norm(), name


@pytest.mark.slow
def test_gradient_checkpointing_does_not_change_the_weights(posts, random_base, tmp_path):
    plain = SETTINGS.model_copy(update={"lora": Lora(rank=4, dropout=0.0)})
    usual = train(posts, random_base(), tmp_path / "usual", plain)
    frugal = train(posts, random_base(), tmp_path / "frugal", plain.model_copy(update={"gradient_checkpointing": True}))
    expected, found = (load_file(folder / "adapter_model.safetensors") for folder in (usual, frugal))
    for name, tensor in expected.items():
        assert (found[name] - tensor).norm() <= 1e-3 * tensor.norm(), name


@pytest.mark.slow
def test_adapter_folder_is_complete_and_names_the_base(posts, random_base, tmp_path):
    adapter = train(posts, random_base(), tmp_path / "adapter")
    assert sorted(path.name for path in adapter.glob("[!.]*")) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "provenance.json",
        "training.csv",
    ]
    assert read_json(adapter / "adapter_config.json")["base_model_name_or_path"] == "random llama"
    assert len(pd.read_csv(adapter / "training.csv")) == 12
    assert posts["en"].name in read_json(adapter / "provenance.json")["inputs"]


@pytest.mark.slow
def test_trained_adapter_predicts_the_labels(posts, random_base, tmp_path):
    adapter = train(posts, random_base(), tmp_path / "adapter", SETTINGS.model_copy(update={"epochs": 20}))
    outputs = {language: tmp_path / "predictions" / f"{language}.parquet" for language in posts}
    predict(random_base(), adapter, posts, outputs, tmp_path / "kept", **ARGUMENTS)
    for path in outputs.values():
        table = read_parquet(path)
        assert list(table.columns) == ["id", "gold", "predicted", "logp_pro", "logp_anti"]
        assert len(table) == 6
        assert (table["gold"] == table["predicted"]).mean() > 0.8


@pytest.mark.slow
def test_predictions_do_not_depend_on_languages_per_job(posts, random_base, tmp_path):
    together = {language: tmp_path / "together" / f"{language}.parquet" for language in posts}
    predict(random_base(), None, posts, together, tmp_path / "kept", **ARGUMENTS)
    for language, path in posts.items():
        alone = tmp_path / "alone" / f"{language}.parquet"
        predict(random_base(), None, {language: path}, {language: alone}, tmp_path / "kept", **ARGUMENTS)
        assert alone.read_bytes() == together[language].read_bytes()


@pytest.mark.slow
def test_improbable_answers_are_logged_with_the_tokens_that_the_base_prefers(posts, random_base, tmp_path, caplog):
    # The random base knows about 300 tokens and gives each a log-probability near -6.
    for bound, warned in ((-8.0, 0), (-3.0, 1)):
        caplog.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(improbable, "IMPROBABLE", bound)
            outputs = {"en": tmp_path / f"{warned}.parquet"}
            predict(random_base(), None, {"en": posts["en"]}, outputs, tmp_path / "kept", **ARGUMENTS)
        found = [line for line in caplog.messages if "improbable" in line]
        assert len(found) == warned
    assert "would rather continue with: " in found[0]
    assert "welcome" not in found[0]


@pytest.mark.slow
def test_translated_posts_have_the_prompt_of_the_pivot(posts, random_base, tmp_path):
    native = Prompt(template={"en": Prompt().template}, language="native")
    plain = train(posts, random_base(), tmp_path / "plain")
    translated = train(posts, random_base(), tmp_path / "translated", prompt=native, pivot="en")
    weights = [sha256(folder / "adapter_model.safetensors") for folder in (plain, translated)]
    assert weights[0] == weights[1]
    assert read_json(translated / "provenance.json")["settings"]["pivot"] == "en"
    assert "pivot" not in read_json(plain / "provenance.json")["settings"]
    found = []
    for name, changes in (("plain", {}), ("native", {"prompt": native, "pivot": "en"})):
        out = {"es": tmp_path / f"{name}.parquet"}
        predict(random_base(), plain, {"es": posts["es"]}, out, tmp_path / "kept", **{**ARGUMENTS, **changes})
        found.append(read_parquet(out["es"]))
    assert found[0].equals(found[1])


@pytest.mark.slow
def test_trackers_receive_the_loss_but_no_text(posts, random_base, tmp_path):
    train(posts, random_base(), tmp_path / "adapter", SETTINGS.model_copy(update={"report_to": ["tensorboard"]}))
    [events] = (tmp_path / "trackers").rglob("events.out.tfevents.*")
    assert b"train/loss" in events.read_bytes()
    assert b"welcome" not in events.read_bytes()


def test_tracker_that_is_not_installed_is_named(posts, random_base, tmp_path):
    with pytest.raises(UserError, match="wandb is not installed"):
        train(posts, random_base(), tmp_path / "adapter", SETTINGS.model_copy(update={"report_to": ["wandb"]}))


def test_target_layer_missing_from_the_base_is_named(posts, random_base, tmp_path):
    wrong = SETTINGS.model_copy(update={"lora": Lora(targets=["q_projection"])})
    with pytest.raises(UserError, match=r"no linear layer 'q_projection'.*'q_proj'"):
        train(posts, random_base(), tmp_path / "adapter", wrong)
    assert not (tmp_path / "adapter").exists()
