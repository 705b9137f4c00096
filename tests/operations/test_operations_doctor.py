"""Test the doctor's findings on machines with problems."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig

from babelgrid.config.base import Base, LabBase
from babelgrid.operations import doctor

HUB = Base(hub="a/base", revision="0" * 40)


def test_unpinned_package_is_named_with_the_fix(tmp_path):
    pins = tmp_path / "requirements.txt"
    pins.write_text("torch==2.13.0  # a note\npandas==0.0.1\nno-such-package==1.0\n", encoding="utf-8")
    found = doctor.check_versions(pins)
    assert found.problem
    assert "pandas" in found.words
    assert "no-such-package none, pinned 1.0" in found.words
    assert "torch" not in found.words
    assert f"pip install -c envs/constraints.txt -r {pins}" in found.words


def test_missing_gpu_is_a_problem_only_if_needed(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(doctor, "has_gpu", lambda: False)
    assert not doctor.check_gpu(Base(lab=LabBase())).problem
    assert not doctor.check_gpu(Base(gguf="gemma-3-270m.gguf")).problem
    assert doctor.check_gpu(HUB).problem
    monkeypatch.setattr(doctor, "has_gpu", lambda: True)
    assert "built for CUDA" in doctor.check_gpu(Base(gguf="gemma-3-270m.gguf")).words


def test_wrong_four_bit_kernel_is_detected(monkeypatch):
    assert not doctor.check_four_bits().problem
    monkeypatch.setattr(doctor, "NF4_LEVELS", (*doctor.NF4_LEVELS[:-2], 0.8, 1.0))
    assert doctor.check_four_bits().problem


@pytest.mark.slow
@given(st.lists(st.floats(-1, 1, width=32), min_size=64, max_size=64).filter(lambda block: max(map(abs, block)) > 1e-3))
def test_four_bit_rounding_error_is_at_most_half_a_gap(block):
    weights = np.array([block], dtype=np.float32)
    widest = max(np.diff(doctor.NF4_LEVELS))
    moved = np.abs(doctor.quantized_by_hand(weights) - weights).max()
    assert moved <= (widest / 2 + 1e-6) * np.abs(weights).max()


def test_training_without_progress_is_a_problem(monkeypatch):
    monkeypatch.setattr(doctor, "loss_of_three_steps", lambda: (1.0, float("nan")))
    assert doctor.check_training().problem


def test_lack_of_space_or_memory_reports_the_need(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5e9))
    monkeypatch.setattr(os, "sysconf", lambda _: 50_000)
    assert "32 GB are enough to start; free some" in doctor.check_disk(tmp_path / "results", HUB).words
    memory = doctor.check_memory(HUB, 18_000)
    assert memory.problem
    assert "18 GB needed" in memory.words


@pytest.mark.parametrize(
    ("script", "problem", "words"),
    [
        (None, False, "not installed"),
        ("echo gpu; echo cpu", False, "partitions cpu, gpu"),
        ("echo 'Unable to contact slurm controller' >&2; exit 1", True, "Unable to contact slurm controller"),
        ("echo 'Could not establish a configuration source' >&2; exit 1", False, "not set up"),
    ],
)
def test_slurm_is_checked_if_installed(monkeypatch, tmp_path, script, problem, words):
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    if script:
        (tmp_path / "sinfo").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / "sinfo").chmod(0o755)
    found = doctor.check_slurm()
    assert found.problem == problem
    assert words in found.words


def test_wrong_clock_is_a_problem(monkeypatch, tmp_path):
    now = doctor.time.time()
    monkeypatch.setattr(doctor.time, "time", lambda: now - 100)
    found = doctor.check_clock(tmp_path)
    assert found.problem
    assert "+100 s off" in found.words


def test_models_on_a_network_file_system_are_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "file_system_of", lambda path: "nfs4")
    assert "HF_HOME moves the models" in doctor.check_cache(tmp_path).words


def test_check_that_raises_does_not_stop_others(monkeypatch, tmp_path):
    def break_down():
        raise RuntimeError("a library is broken")

    monkeypatch.setattr(doctor, "check_four_bits", break_down)
    monkeypatch.setattr(doctor, "loss_of_three_steps", lambda: (2.0, 1.0))
    (tmp_path / "requirements.txt").write_text("", encoding="utf-8")
    found = list(doctor.examine(tmp_path / "requirements.txt", tmp_path, HUB, 18_000))
    assert len(found) == 11
    assert [one.words for one in found if one.name == "4 bits"] == [
        "the check itself failed: RuntimeError: a library is broken"
    ]


def test_forward_path_of_the_base_is_named(tmp_path):
    assert "forward path thin" in doctor.check_base(Base(lab=LabBase())).words
    assert "not downloaded yet" in doctor.check_base(HUB).words
    AutoConfig.for_model("gemma3_text").save_pretrained(tmp_path)
    found = doctor.check_base(Base(folder=str(tmp_path)))
    assert (found.problem, found.words) == (False, "forward path packed")
    AutoConfig.for_model("t5").save_pretrained(tmp_path)
    assert doctor.check_base(Base(folder=str(tmp_path))).problem
