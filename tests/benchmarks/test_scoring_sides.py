"""The sides of the scoring benchmark, in miniature, use the same tokens and give the same labels."""

import pytest
import torch

pytest.importorskip("lm_eval", reason="lm_eval is not installed: make .venv/bench.stamp")

from babelgrid.config.base import Base
from babelgrid.model.base import choose_device, load_base
from babelgrid.prompts.tokenizer import load_tokenizer
from benchmarks.questions import ask, lab_shape, lab_texts, templates, write_random_base
from benchmarks.scoring import sides
from benchmarks.scoring.run import compare


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scoring")
    texts = lab_texts(folder, posts_per_language=2)
    base_path = write_random_base(folder, lab_shape(1024), texts)
    model = load_base(base_path, Base(folder=str(folder / "base")), choose_device()).eval()
    return model, load_tokenizer(folder / "base"), texts


@pytest.mark.parametrize("template", templates())
def test_all_sides_give_same_labels(lab, template):
    model, tokenizer, texts = lab
    questions = ask(texts, templates()[template], tokenizer)
    ours = sides.babelgrid(model, tokenizer, questions)()
    assert len(set(ours)) > 1
    assert sides.lm_eval(model, tokenizer, questions, batch_size=1)() == ours
    assert sides.lm_eval(model, tokenizer, questions, batch_size=8)() == ours
    assert sides.labels_in_generate(model, tokenizer, questions) == ours


def test_batched_generate_matches_single_posts(lab):
    model, tokenizer, texts = lab
    questions = ask(texts, templates()["study"], tokenizer)
    padded, width = sides._generate(model, tokenizer, [list(ids) for ids in questions.prompts[:4]], "dynamic")
    for ids, together in zip(questions.prompts[:4], padded[:, width:], strict=True):
        alone = model.generate(torch.tensor([list(ids)]), max_new_tokens=3, do_sample=False, use_cache=True)
        assert alone[0, len(ids) :].tolist() == together.tolist()


def test_disagreement_is_recorded():
    contestants = {"babelgrid": lambda: ["pro", "anti"], "lm_eval tuned": lambda: ["pro", "pro"]}
    ours, theirs = compare(contestants, labels_of_generate=["pro", "anti"], repeats=1)
    assert ours["label_agreement"] == 1
    assert theirs["label_agreement"] == 0.5


def test_side_with_different_tokens_raises(lab):
    model, tokenizer, texts = lab
    questions = ask(texts[:1], templates()["study"], tokenizer)
    questions.prompts[0].append(questions.prompts[0][-1])
    with pytest.raises(RuntimeError, match="different tokens"):
        sides.lm_eval(model, tokenizer, questions, batch_size=1)
