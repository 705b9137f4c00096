import json
import logging
import shutil
import socket

import pandas as pd
import pytest

from babelgrid.config.base import LAB_LANGUAGES, LabBase
from babelgrid.errors import UserError
from babelgrid.lab import tokens
from babelgrid.lab.pretrain import pretrain_base
from babelgrid.runtime.job import job
from babelgrid.runtime.usage import Usage

SMALL = {"tokens": 60_000, "vocabulary": 1024, "hidden_size": 32, "layers": 1, "heads": 2, "batch_rows": 8}
SETTINGS = LabBase(**SMALL)


@pytest.fixture(autouse=True, scope="module")
def little_text_for_the_tokenizer():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "TOKENIZER_CHARACTERS", 200_000)
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab") / "base"
    pretrain_base(SETTINGS, seed=0, threads=1, out=folder, usage=Usage())
    return folder


@pytest.mark.slow
def test_base_is_a_standard_model_folder(base, monkeypatch):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was used"))
    model = AutoModelForCausalLM.from_pretrained(base, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    assert model.config.model_type == "llama"
    assert model.config.tie_word_embeddings
    assert model.config.max_position_embeddings >= 1024
    assert model.config.vocab_size == len(tokenizer) == SETTINGS.vocabulary
    assert model.config.bos_token_id == tokenizer.bos_token_id
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}) == 3


def test_tokenizer_prepends_one_bos_and_restores_text(base):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    text = "Good news! Ça va ? हम , 나 .\n= pro"
    ids = tokenizer(text).input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert ids.count(tokenizer.bos_token_id) == 1
    assert tokenizer.eos_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer("x", add_special_tokens=False).input_ids[0] != tokenizer.bos_token_id


@pytest.mark.slow
def test_exposure_sums_to_the_tokens_of_the_stream(base):
    exposure = json.loads((base / "exposure.json").read_text())
    assert set(exposure["tokens"]) == set(LAB_LANGUAGES)
    assert sum(exposure["tokens"].values()) == exposure["total"]
    step = SETTINGS.context * SETTINGS.batch_rows
    assert exposure["total"] + exposure["bos"] == round(SETTINGS.tokens / step) * step
    assert min(exposure["tokens"].values()) > 0


def test_loss_is_recorded_at_each_step_and_falls(base):
    curve = pd.read_csv(base / "pretraining.csv")
    assert list(curve.columns) == ["step", "loss"]
    assert list(curve.step) == list(range(1, len(curve) + 1))
    assert curve.loss.tail(5).mean() < curve.loss.head(5).mean() - 0.5


@pytest.mark.slow
def test_same_seed_and_threads_give_the_same_bytes(base, tmp_path):
    pretrain_base(SETTINGS, seed=0, threads=1, out=tmp_path / "again", usage=Usage())
    for name in ("model.safetensors", "tokenizer.json", "config.json", "exposure.json", "pretraining.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (base / name).read_bytes()


@pytest.mark.slow
def test_another_seed_gives_another_model(base, tmp_path):
    settings = SETTINGS.model_copy(update={"tokens": 10_000})
    pretrain_base(settings, seed=1, threads=1, out=tmp_path / "other", usage=Usage())
    assert (tmp_path / "other" / "model.safetensors").read_bytes() != (base / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_usage_counts_all_tokens_of_the_stream(tmp_path):
    usage = Usage()
    pretrain_base(SETTINGS.model_copy(update={"tokens": 10_000}), 0, 1, tmp_path / "base", usage)
    exposure = json.loads((tmp_path / "base" / "exposure.json").read_text(encoding="utf-8"))
    assert usage.tokens == exposure["total"] + exposure["bos"] > 0
    assert usage.work_seconds > 0
    assert usage.device == "CPU, threads: 1"


@pytest.mark.slow
def test_failed_pretraining_leaves_no_files(tmp_path, monkeypatch):
    from babelgrid.lab import pretrain

    monkeypatch.setattr(pretrain, "write_json", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        pretrain_base(SETTINGS.model_copy(update={"tokens": 10_000}), 0, 1, tmp_path / "base", Usage())
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [0, 40, 200])
def test_full_disk_ends_pretraining_and_leaves_no_files(tmp_path, mounted, capfd, kilobytes):
    small = mounted("size=1m")
    (small / "filler").write_bytes(bytes(shutil.disk_usage(small).free - 1024 * kilobytes))
    with pytest.raises(SystemExit), job(tmp_path / "logs/pretrain_base.log"):
        pretrain_base(SETTINGS.model_copy(update={"tokens": 10_000}), 0, 1, small / "base", Usage())
    assert "No space left on device" in (words := capfd.readouterr().err)
    assert "free some space, and run again" in words
    assert "Traceback" not in (tmp_path / "logs/pretrain_base.log").read_text(encoding="utf-8")
    assert [path.name for path in small.iterdir()] == ["filler"]


@pytest.mark.slow
def test_unreachable_share_is_logged(tmp_path, caplog):
    settings = LabBase(**{**SMALL, "shares": {"en": 98, "hu": 2}, "parallel": 1.0, "code_switched": 0.0})
    with caplog.at_level(logging.WARNING):
        pretrain_base(settings, 0, 1, tmp_path / "base", Usage())
    assert "en" in caplog.text
    assert "lower parallel, code_switched or switch_rate" in caplog.text


@pytest.mark.slow
def test_pretraining_works_with_a_single_step(tmp_path):
    settings = LabBase(**{**SMALL, "tokens": 10_000, "batch_rows": 80})
    pretrain_base(settings, 0, 1, tmp_path / "base", Usage())
    assert len(pd.read_csv(tmp_path / "base" / "pretraining.csv")) == 1


@pytest.mark.slow
def test_non_finite_loss_ends_pretraining_without_a_base(tmp_path):
    settings = SETTINGS.model_copy(update={"tokens": 10_000, "learning_rate": 1e30})
    with pytest.raises(UserError, match=r"the loss is (nan|inf), with peak learning rate 1e\+30 in float32"):
        pretrain_base(settings, seed=0, threads=1, out=tmp_path / "base", usage=Usage())
    assert not (tmp_path / "base").exists()
