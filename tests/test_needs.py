"""Test the resources that jobs request from a cluster."""

import pytest

from babelgrid.config.base import Base, LabBase
from babelgrid.resources import UNKNOWN_BILLIONS, billions_of_parameters, host_memory_mb, minutes

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


def test_size_of_folder_is_the_size_of_its_weights(tmp_path):
    with (tmp_path / "model.safetensors").open("wb") as weights:
        weights.truncate(6 * 10**9)
    assert billions_of_parameters(Base(folder=str(tmp_path))) == pytest.approx(3)


def test_larger_bases_request_more_resources():
    lab = Base(lab=LabBase())
    small, large = (Base(hub=f"a/b-{size}B", revision=REVISION) for size in (1, 8))
    assert host_memory_mb(lab) < host_memory_mb(small) < host_memory_mb(large)
    assert minutes(lab) < minutes(small)
