"""Disk and file faults in training and prediction give a clear error and leave no partial files."""

import logging
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from babelgrid.base_files import record_base
from babelgrid.config.finetune import Predict
from babelgrid.config.prompt import Prompt
from babelgrid.errors import UserError
from babelgrid.model import predict as predicting
from babelgrid.model.base import Device, load_base
from babelgrid.model.predict import predict
from babelgrid.runtime.files import read_json, write_json, write_parquet
from babelgrid.runtime.job import job
from babelgrid.runtime.usage import Usage
from training import BASE, LABELS, SETTINGS, train

ARGUMENTS = {"base": BASE, "prompt": Prompt(), "labels": LABELS, "settings": Predict()}


@pytest.mark.slow
def test_training_continues_if_disk_is_full_for_checkpoint(posts, random_base, tmp_path, mounted, caplog):
    settings = SETTINGS.model_copy(update={"checkpoint_steps": 6})
    small = mounted("size=64k")
    adapter = train(posts, random_base(), tmp_path / "adapter", settings, checkpoints=small / "state")
    assert (adapter / "adapter_model.safetensors").is_file()
    assert "no checkpoint at step 6 (" in caplog.text
    assert "training continues, the previous one is kept" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["adapter", "table"])
def test_full_disk_is_one_error_and_leaves_no_partial_files(posts, random_base, tmp_path, mounted, capfd, kind):
    small = mounted("size=16k")
    write = {
        "adapter": lambda: train(posts, random_base(), small / "adapter", checkpoints=tmp_path / "state"),
        "table": lambda: write_parquet(small / "table.parquet", pd.DataFrame({"x": range(100_000)})),
    }
    with pytest.raises(SystemExit), job(tmp_path / "job.log"):
        write[kind]()
    assert "No space left on device" in (words := capfd.readouterr().err)
    assert "free some space, and run again" in words
    assert "Traceback" not in words + (tmp_path / "job.log").read_text(encoding="utf-8")
    assert not list(small.iterdir())


def test_read_only_folder_is_one_error(tmp_path, mounted, capfd):
    fixed = mounted("ro")
    with pytest.raises(SystemExit), job(tmp_path / "job.log"):
        write_parquet(fixed / "table.parquet", pd.DataFrame({"x": [1]}))
    assert "Read-only file system" in (words := capfd.readouterr().err)
    assert "make it writable, and run again" in words


@pytest.mark.slow
def test_truncated_adapter_is_named(posts, random_base, tmp_path):
    adapter = train(posts, random_base(), tmp_path / "adapter")
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    outputs = {language: tmp_path / f"predictions/{language}.parquet" for language in posts}
    with pytest.raises(UserError, match=r"adapter: the adapter cannot be loaded .* Delete it and run again"):
        predict(random_base(), adapter, posts, outputs, tmp_path / "kept", **ARGUMENTS, usage=Usage(), code="x")


@pytest.mark.slow
@pytest.mark.parametrize("change", ["nothing", "code", "damage"])
def test_killed_prediction_resumes_after_finished_languages(posts, random_base, tmp_path, monkeypatch, change):
    score, scored = predicting.score_posts, []

    def recorded(model, tokenizer, test, language, *rest):
        if language == "es" and not scored.count("killed"):
            scored.append("killed")
            raise KeyboardInterrupt
        scored.append(language)
        return score(model, tokenizer, test, language, *rest)

    outputs = {language: tmp_path / f"predictions/{language}.parquet" for language in posts}
    monkeypatch.setattr(predicting, "score_posts", recorded)
    with pytest.raises(KeyboardInterrupt):
        predict(random_base(), None, posts, outputs, tmp_path / "kept", **ARGUMENTS, usage=Usage(), code="x")
    assert not any(path.exists() for path in outputs.values())
    [part] = (tmp_path / "kept").iterdir()
    if change == "damage":
        part.write_bytes(part.read_bytes()[:200])
    predict(
        random_base(),
        None,
        posts,
        outputs,
        tmp_path / "kept",
        **ARGUMENTS,
        usage=Usage(),
        code="y" if change == "code" else "x",
    )
    again = ["es"] if change == "nothing" else ["en", "es"]
    assert scored == ["en", "killed", *again]
    assert not (tmp_path / "kept").exists()
    whole = {language: tmp_path / f"whole/{language}.parquet" for language in posts}
    predict(random_base(), None, posts, whole, tmp_path / "others", **ARGUMENTS, usage=Usage(), code="x")
    assert all(whole[language].read_bytes() == path.read_bytes() for language, path in outputs.items())


@pytest.mark.slow
def test_progress_logs_step_loss_speed_and_time_left(posts, random_base, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        train(posts, random_base(), tmp_path / "adapter")
    assert pd.Series([caplog.text]).str.contains(r"step 12 of 12, loss \d\.\d{4}, [1-9]\d* tokens/s, 0 s left").all()


def copied_base(random_base, folder):
    shutil.copytree(read_json(random_base())["folder"], folder / "base")
    record(folder)
    return folder / "base"


def record(folder):
    record_base("copied", None, folder / "base", folder / "base.json")


def load(folder):
    return load_base(folder / "base.json", BASE, Device("cpu", torch.float32))


def test_truncated_base_is_named(random_base, tmp_path):
    weights = copied_base(random_base, tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"model\.safetensors: has changed since .*base\.json was written"):
        load(tmp_path)
    record(tmp_path)
    with pytest.raises(UserError, match=r"base: the base cannot be loaded \("):
        load(tmp_path)


def test_base_with_pickled_weights_is_refused_unread(random_base, tmp_path):
    folder = copied_base(random_base, tmp_path)
    (folder / "model.safetensors").unlink()

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "run",))

    torch.save({"x": Evil()}, folder / "pytorch_model.bin")
    record(tmp_path)
    with pytest.raises(UserError, match=r"base: the base cannot be loaded \("):
        load(tmp_path)
    assert not (tmp_path / "run").exists()


def test_custom_code_of_a_base_is_never_run(random_base, tmp_path):
    folder = copied_base(random_base, tmp_path)
    config = read_json(folder / "config.json")
    write_json(
        folder / "config.json",
        {**config, "model_type": "theirs", "auto_map": {"AutoConfig": "theirs.C", "AutoModelForCausalLM": "theirs.M"}},
    )
    (folder / "theirs.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'run')!r}).touch()\n", "utf-8")
    record(tmp_path)
    with pytest.raises(UserError, match=r"base: the base cannot be loaded \("):
        load(tmp_path)
    assert not (tmp_path / "run").exists()
