"""The GPU script runs in miniature on any device, from a random base to its tables."""

import json

import pytest
from transformers import LlamaConfig

pytest.importorskip("trl", reason="trl is not installed: make .venv/bench.stamp")
pytest.importorskip("lm_eval", reason="lm_eval is not installed: make .venv/bench.stamp")

from benchmarks.gpu.run import FLOORS, in_turn, measure, summaries, table
from benchmarks.measure import Record
from benchmarks.questions import lab_texts, write_random_base
from benchmarks.training.run import quality, study_examples


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Return a random base of two thin layers, and texts to score with it."""
    folder = tmp_path_factory.mktemp("gpu")
    texts = lab_texts(folder, 4)
    shape = LlamaConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2, vocab_size=1024,
        bos_token_id=0, eos_token_id=1, pad_token_id=2, tie_word_embeddings=True, initializer_range=0.2,
    )  # fmt: skip
    return write_random_base(folder, shape, texts), texts


def test_all_work_is_measured_and_tabulated(base):
    base_path, texts = base
    record = Record(None)
    measure(base_path, texts, steps=1, repeats=1, record=record)
    rows = summaries(record.rows)
    measured = {(row["work"], row["side"]) for row in rows}
    assert {("training, loss on the label", "TRL tuned"), ("scoring", "babelgrid")} <= measured
    assert all(row["tokens_per_s"]["median"] > row["posts_per_s"]["median"] > 0 for row in rows)
    assert table(rows, FLOORS).count("%") == len([row for row in rows if row["work"] in FLOORS])


def test_a_stopped_run_loses_no_round(monkeypatch, tmp_path):
    monkeypatch.setattr("benchmarks.measure.RESULTS", tmp_path)

    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_turn("training", {"babelgrid": lambda: (0.5, 100, 2), "TRL": stopped}, 1, Record("gpu", shape="tiny"))
    written = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert written["shape"] == "tiny"
    assert [(row["side"], row["round"], row["tokens_per_s"]) for row in written["rows"]] == [("babelgrid", 0, 200)]


def test_cold_round_is_kept_apart():
    rounds = [
        {
            "work": "scoring",
            "side": "babelgrid",
            "round": number,
            "tokens_per_s": speed,
            "posts_per_s": 1,
            "peak_gib": 1,
        }
        for number, speed in enumerate([10, 300, 100, 200])
    ]
    [row] = summaries(rounds)
    assert row["cold_tokens_per_s"] == 10
    assert row["tokens_per_s"] == {"median": 200, "min": 100, "max": 300}
    assert "| 200 (100 to 300) | 10 |" in table([row], {})


def test_trl_and_babelgrid_learn_the_same(base):
    base_path, texts = base
    examples = study_examples(base_path, texts, "study", "label")
    found = quality(base_path, examples, steps=10)["TRL tuned"]
    assert found["gradient_cosine"] > 0.99999
    assert found["largest_loss_difference"] < 1e-4
    assert found["label_agreement"] >= 0.995
