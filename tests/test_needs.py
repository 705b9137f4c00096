"""Test the resources that jobs request from a cluster."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from babelgrid.config.base import Base, LabBase
from babelgrid.resources import (
    UNKNOWN_BILLIONS,
    billions_of_parameters,
    cpu_memory_mb,
    cpu_threads,
    host_memory_mb,
    minutes,
)

REVISION = "0" * 40


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("meta-llama/Llama-3.2-3B-Instruct", 3),
        ("Qwen/Qwen3-0.6B", 0.6),
        ("HuggingFaceTB/SmolLM2-135M", 0.135),
        ("openai-community/gpt2", UNKNOWN_BILLIONS),
    ],
)
def test_size_of_base_is_read_from_its_name(name, billions):
    assert billions_of_parameters(Base(hub=name, revision=REVISION)) == pytest.approx(billions)


def test_size_of_gguf_is_read_from_the_name_of_its_file():
    assert billions_of_parameters(Base(gguf="models-7b/gemma-3-270m-q4_k_m.gguf")) == pytest.approx(0.27)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_size_of_folder_is_its_number_of_weights(tmp_path, dtype):
    for part, shape in enumerate([(100, 30), (7,)]):
        save_file({"weight": np.zeros(shape, dtype)}, tmp_path / f"model-{part}.safetensors")
    assert billions_of_parameters(Base(folder=str(tmp_path))) == pytest.approx(3007e-9)


def test_damaged_file_counts_by_its_size(tmp_path):
    with (tmp_path / "model.safetensors").open("wb") as weights:
        weights.truncate(6 * 10**9)
    assert billions_of_parameters(Base(folder=str(tmp_path))) == pytest.approx(3)


def test_larger_bases_request_more_resources():
    lab = Base(lab=LabBase())
    small, large = (Base(hub=f"a/b-{size}B", revision=REVISION) for size in (1, 8))
    assert host_memory_mb(lab) < host_memory_mb(small) < host_memory_mb(large)
    assert minutes(lab) < minutes(small)
    assert (
        cpu_memory_mb(lab, 1000) < cpu_memory_mb(small, 1000) < cpu_memory_mb(small, 9000) < cpu_memory_mb(large, 9000)
    )


def test_jobs_on_a_cpu_take_one_thread_unless_memory_is_short(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 10**6, "SC_PHYS_PAGES": 32_000}.__getitem__)
    threads = [cpu_threads(megabytes) for megabytes in (1, 2000, 2001, 8000, 31_000, 64_000)]
    assert threads == [1, 1, 2, 4, 16, 16]
