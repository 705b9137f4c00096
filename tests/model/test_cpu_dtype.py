"""The base's data type on a CPU: who chooses it, and that bfloat16 gives nearly the scores of float32."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from babelgrid.config.base import Base, LabBase
from babelgrid.config.prompt import Prompt
from babelgrid.model import base as base_module
from babelgrid.model.base import choose_device, name_of
from babelgrid.model.predict import load_adapted, score_posts
from babelgrid.prompts.tokenizer import load_base_tokenizer
from babelgrid.runtime.files import read_parquet
from training import BASE, LABELS, train

LARGE = Base(folder="any")


@pytest.fixture
def cpu(monkeypatch, tmp_path):
    """Return a function that sets the flags of this machine's CPU, without a GPU."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(base_module, "CPU_INFO", tmp_path / "cpuinfo")
    return lambda line: (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{line}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "dtype"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_bf16", torch.bfloat16),
        ("flags\t\t: fpu amx_bf16 amx_tile", torch.bfloat16),
        ("Features\t: fp asimd bf16 i8mm", torch.bfloat16),
        ("flags\t\t: fpu avx2 avx512f avx512_vnni", torch.float32),
    ],
)
def test_auto_takes_bfloat16_where_the_cpu_multiplies_it(cpu, line, dtype):
    cpu(line)
    assert choose_device(LARGE).dtype == dtype


def test_machine_without_cpuinfo_takes_float32(cpu):
    assert choose_device(LARGE).dtype == torch.float32


def test_lab_and_models_that_are_no_base_stay_in_float32(cpu):
    cpu("flags: avx512_bf16")
    assert choose_device(Base(lab=LabBase(), cpu_dtype="bfloat16")).dtype == torch.float32
    assert choose_device().dtype == torch.float32


def test_setting_overrules_the_flags_and_is_named(cpu):
    cpu("flags: avx512_bf16")
    assert choose_device(Base(folder="any", cpu_dtype="float32")).dtype == torch.float32
    cpu("flags: avx2")
    assert "bfloat16" in name_of(choose_device(Base(folder="any", cpu_dtype="bfloat16")))


@pytest.mark.slow
def test_bfloat16_gives_nearly_the_probabilities_of_float32(posts, random_base, tmp_path):
    base_path = random_base()
    tokenizer = load_base_tokenizer(base_path)
    test = read_parquet(posts["en"]).query("split == 'test'").reset_index(drop=True)
    scores = {}
    for name in ("float32", "bfloat16"):
        base = Base(folder=BASE.folder, cpu_dtype=name)
        adapter = train(posts, base_path, tmp_path / name, base=base)
        weights = load_file(adapter / "adapter_model.safetensors")
        assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
        model = load_adapted(base_path, adapter, base)
        assert str(model.dtype) == f"torch.{name}"
        scored = score_posts(model, tokenizer, test, "en", Prompt(), LABELS, 512)
        scores[name] = np.exp(scored[["logp_pro", "logp_anti"]].to_numpy())
    assert abs(scores["bfloat16"] - scores["float32"]).max() < 0.05
    assert (scores["bfloat16"] != scores["float32"]).any()
