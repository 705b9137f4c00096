"""The GPU script runs in miniature on any device, from a random base to its tables."""

import pytest
from transformers import LlamaConfig

pytest.importorskip("trl", reason="trl is not installed: make .venv/bench.stamp")
pytest.importorskip("lm_eval", reason="lm_eval is not installed: make .venv/bench.stamp")

from benchmarks.gpu.run import FLOORS, LLAMA_3B, measure, table
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
    rows = measure(base_path, texts, steps=1, repeats=1)
    measured = {(row["work"], row["side"]) for row in rows}
    assert {("training, loss on the label", "TRL tuned"), ("scoring", "babelgrid")} <= measured
    assert all(row["tokens_per_s"]["median"] > row["posts_per_s"]["median"] > 0 for row in rows)
    assert table(rows, FLOORS).count("%") == len([row for row in rows if row["work"] in FLOORS])


def test_large_shape_has_llama_3b_parameter_count():
    import torch
    from transformers import LlamaForCausalLM

    with torch.device("meta"):
        model = LlamaForCausalLM(LLAMA_3B)
    assert sum(weight.numel() for weight in model.parameters()) == 3_212_749_824


def test_trl_and_babelgrid_learn_the_same(base):
    base_path, texts = base
    examples = study_examples(base_path, texts, "study", "label")
    found = quality(base_path, examples, steps=10)["TRL tuned"]
    assert found["gradient_cosine"] > 0.99999
    assert found["largest_loss_difference"] < 1e-4
    assert found["label_agreement"] >= 0.995
