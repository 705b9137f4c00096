"""Build the messages about a post and interpret the endpoint's answer."""

import math
import re
from collections.abc import Mapping, Sequence

import pandas as pd

from babelgrid.config.prompt import Label, Prompt
from babelgrid.posts.control_tokens import open_control_tokens
from babelgrid.spelling import fold

Message = dict[str, str]

MARKS = " \t\r\n\"'`*.,:;!?()[]"


def messages_for(
    text: str, language: str, examples: pd.DataFrame, prompt: Prompt, labels: Mapping[str, Label]
) -> list[Message]:
    """Return the messages: the allowed answers, each example with its answer, and the post.

    examples: posts with columns language, text, label. prompt: from the experiment's config; its chat template is not
    used. The endpoint's tokenizer is unknown, so a space is inserted into control tokens of all major model families.
    """
    allowed = ", ".join(label.answer.strip() for label in labels.values())
    messages = [{"role": "system", "content": f"Answer with one of these and nothing else: {allowed}"}]
    for example in examples.itertuples():
        messages.append(_question(str(example.text), str(example.language), prompt))
        messages.append({"role": "assistant", "content": labels[str(example.label)].answer.strip()})
    return [*messages, _question(text, language, prompt)]


def _question(text: str, language: str, prompt: Prompt) -> Message:
    before, after = prompt.template_for(language).split("{text}")
    return {"role": "user", "content": before + open_control_tokens(text, before, after) + after}


def parse_label(answer: str | None, labels: Mapping[str, Label]) -> str | None:
    """Return the label that an answer names, or None if there is no answer, or if it names no label or several.

    An answer names a label if it equals the label's answer, name or an alias, ignoring case and surrounding
    punctuation, or if it contains one of them and no spelling of another label.
    """
    spellings = {_fold(word): name for name, label in labels.items() for word in (label.answer, name, *label.aliases)}
    folded = _fold(answer or "")
    if folded in spellings:
        return spellings[folded]
    # Longest first, because one spelling may be a prefix of another (`support`, `support with conditions`).
    words = "|".join(map(re.escape, sorted(spellings, key=len, reverse=True)))
    said = {spellings[word] for word in re.findall(rf"(?<!\w)(?:{words})(?!\w)", folded)}
    return said.pop() if len(said) == 1 else None


def log_probabilities(
    said: str | None, tokens: Sequence[tuple[str, float]] | None, labels: Mapping[str, Label]
) -> list[float]:
    """Return the natural log-probability of each label; -inf for all labels if the answer named none.

    tokens: the most likely first tokens of the answer with their log-probabilities, if the endpoint returns them. Each
    label gets the summed probability of the tokens that are a prefix of its answer and of no other label's. If the most
    probable label is not the one named, or there are no usable tokens, the named label gets probability 1.
    """
    if said is None:
        return [-math.inf] * len(labels)
    answers = {name: _fold(label.answer) for name, label in labels.items()}
    shares = dict.fromkeys(labels, 0.0)
    for token, logp in tokens or []:
        begun = [name for name, answer in answers.items() if _fold(token) and answer.startswith(_fold(token))]
        if len(begun) == 1 and -math.inf < logp <= 0:
            shares[begun[0]] += math.exp(logp)
    if max(shares, key=shares.__getitem__) != said or not 0 < sum(shares.values()) <= 1 + 1e-6:
        shares = {name: float(name == said) for name in labels}
    return [math.log(share) if share else -math.inf for share in shares.values()]


def _fold(text: str) -> str:
    return fold(text).strip(MARKS)
