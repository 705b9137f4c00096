"""The scripts that check a GPU and take its steps apart run in miniature on any device."""

import json
import sys

import pytest
import torch
from transformers import LlamaForCausalLM

from babelgrid.config.base import Base
from babelgrid.model.base import choose_device, load_base
from benchmarks import measure
from benchmarks.gpu import check, steps
from benchmarks.gpu.card import LLAMA_3B
from benchmarks.questions import lab_shape, lab_texts, write_random_base


def run(script, monkeypatch, capsys):
    """Run a script in miniature; return its exit code and its rows."""
    monkeypatch.setattr(sys, "argv", ["script", "--shape", "tiny"])
    code = script.main()
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


@pytest.mark.slow
def test_16_bits_differ_from_32_by_rounding_only(monkeypatch, capsys):
    code, rows = run(check, monkeypatch, capsys)
    assert code == 0
    assert {row["loss"] for row in rows} == {"label", "all"}
    assert all(row["ok"] and row["log_probabilities"] > 1e-4 for row in rows)


@pytest.mark.slow
def test_wrong_gradients_are_found(monkeypatch, capsys):
    right = check.numbers

    def wrong(base_path, batch, device, weights):
        logits, gradient = right(base_path, batch, device, weights)
        return logits, gradient if device.dtype == torch.float32 else gradient.roll(1)

    monkeypatch.setattr(check, "numbers", wrong)
    code, rows = run(check, monkeypatch, capsys)
    assert code == 1
    assert not any(row["ok"] for row in rows)


@pytest.mark.slow
def test_steps_are_taken_apart(monkeypatch, capsys):
    code, rows = run(steps, monkeypatch, capsys)
    assert not code
    times = [row for row in rows if row["what"] == "step"]
    assert {(row["adapter"], row["loss"]) for row in times} == {
        (adapter, loss) for adapter in ("study", "default") for loss in ("label", "all")
    }
    assert all(len(row["walls_ms"]) == steps.SIZES["tiny"].steps - 1 for row in times)
    assert all(row["same_shape_ms"] >= row["launch_ms"] > 0 for row in times)
    assert {row["turn"] for row in rows if row["what"] == "score"} == {"first", "second"}
    assert {row["backend"] for row in rows if row["what"] == "attention"} == set(steps.BACKENDS)


def test_shape_of_llama_needs_a_card(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["script"])
    monkeypatch.setattr(steps, "has_card", lambda: False)
    with pytest.raises(SystemExit):
        steps.main()
    assert "needs an NVIDIA GPU; --shape tiny runs on any device" in capsys.readouterr().err


def test_large_shape_has_llama_3b_parameter_count():
    with torch.device("meta"):
        model = LlamaForCausalLM(LLAMA_3B)
    assert sum(weight.numel() for weight in model.parameters()) == 3_212_749_824


def test_record_is_complete_after_each_row(monkeypatch, tmp_path):
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    record = measure.Record("gpu_steps", shape="tiny")
    for number in (1, 2):
        record.add({"number": number})
        written = json.loads((tmp_path / "gpu_steps.json").read_text(encoding="utf-8"))
        assert len(written["rows"]) == number
        assert written["environment"]["versions"]["torch"]
    assert [path.name for path in tmp_path.iterdir()] == ["gpu_steps.json"]


@pytest.mark.slow
def test_random_base_of_the_benchmarks_loads(tmp_path):
    base_path = write_random_base(tmp_path, lab_shape(1024), lab_texts(tmp_path, 1))
    model = load_base(base_path, Base(folder="named in base.json"), choose_device())
    assert model.config.vocab_size == 1024
