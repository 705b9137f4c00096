"""Define the sides: each scores the same posts with the same model and returns one label per post."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import PreTrainedTokenizerBase

from babelgrid.config.finetune import Predict
from babelgrid.model.score import label_log_probabilities
from babelgrid.prompts.template import encode_prompts
from benchmarks.questions import Questions

NEW_TOKENS = 3
Side = Callable[[], list[str]]
"""Run once over all questions; return the label of each."""


def babelgrid(model: Any, tokenizer: PreTrainedTokenizerBase, questions: Questions) -> Side:
    """Return babelgrid's side: one forward pass over each post."""

    def run() -> list[str]:
        prompts = encode_prompts(questions.frame, questions.texts, tokenizer, max_post_tokens=256)
        scores = label_log_probabilities(model, prompts, questions.paths, Predict().tokens_per_batch)
        names = list(questions.paths)
        return [names[best] for best in scores.argmax(1)]

    return run


def lm_eval(model: Any, tokenizer: PreTrainedTokenizerBase, questions: Questions, batch_size: int) -> Side:
    """Return lm-evaluation-harness's side: log-likelihoods of all answers; one-token answers share a forward pass."""
    harness = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)
    answers = [label.answer for label in questions.labels.values()]
    _check_tokens(harness, questions)

    def run() -> list[str]:
        requests = [
            Instance("loglikelihood", {}, (context, answer), number)
            for context in questions.contexts
            for number, answer in enumerate(answers)
        ]
        scores = torch.tensor([score for score, _ in harness.loglikelihood(requests, disable_tqdm=True)])
        names = list(questions.labels)
        return [names[best] for best in scores.view(-1, len(names)).argmax(1)]

    return run


def _check_tokens(harness: HFLM, questions: Questions) -> None:
    """Raise an error if the harness and babelgrid use different tokens."""
    for context, prompt in zip(questions.contexts, questions.prompts, strict=True):
        for name, label in questions.labels.items():
            if harness._encode_pair(context, label.answer) != (list(prompt), list(questions.paths[name])):
                raise RuntimeError("lm-evaluation-harness and babelgrid use different tokens")


def generate_each(model: Any, tokenizer: PreTrainedTokenizerBase, questions: Questions) -> Side:
    """Return the side of `generate` with defaults: one post at a time, three new tokens, label read from the text."""

    def run() -> list[str]:
        answers = []
        for context in questions.contexts:
            inputs = tokenizer(context, return_tensors="pt").to(model.device)
            out = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False, use_cache=True)
            answers.append(tokenizer.decode(out[0, inputs["input_ids"].shape[1] :]))
        return [_read_label(answer, questions) for answer in answers]

    return run


def generate_batches(
    model: Any, tokenizer: PreTrainedTokenizerBase, questions: Questions, batch_size: int, cache: str
) -> Side:
    """Return the side of `generate` when tuned: batches of posts with similar lengths, padded on the left."""

    def run() -> list[str]:
        contexts = questions.contexts
        ids = tokenizer(contexts)["input_ids"]
        order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
        answers = [""] * len(ids)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            out, width = _generate(model, tokenizer, [ids[row] for row in rows], cache)
            for row, text in zip(rows, tokenizer.batch_decode(out[:, width:]), strict=True):
                answers[row] = text
        return [_read_label(answer, questions) for answer in answers]

    return run


def _generate(
    model: Any, tokenizer: PreTrainedTokenizerBase, ids: Sequence[list[int]], cache: str
) -> tuple[torch.Tensor, int]:
    inputs = tokenizer.pad({"input_ids": ids}, padding_side="left", return_tensors="pt").to(model.device)
    out = model.generate(
        **inputs, max_new_tokens=NEW_TOKENS, do_sample=False, use_cache=True, cache_implementation=cache
    )
    return out, inputs["input_ids"].shape[1]


def labels_in_generate(model: Any, tokenizer: PreTrainedTokenizerBase, questions: Questions) -> list[str]:
    """Return for each post the label with the highest logit in the first new token of `generate`.

    A random model's greedy text is not a label, so agreement with `generate` is checked in this way. It is not timed.
    """
    names = list(questions.paths)
    tokens = [path[0] for path in questions.paths.values()]
    labels = []
    for context in questions.contexts:
        out = model.generate(
            **tokenizer(context, return_tensors="pt").to(model.device),
            max_new_tokens=1,
            do_sample=False,
            use_cache=True,
            output_logits=True,
            return_dict_in_generate=True,
        )
        labels.append(names[out.logits[0][0, tokens].argmax()])
    return labels


def _read_label(answer: str, questions: Questions) -> str:
    """Return the label whose answer the text starts with, or an empty string."""
    matching = (name for name, label in questions.labels.items() if answer.startswith(label.answer))
    return next(matching, "")
