"""Convert posts and answers to token sequences for training and scoring."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from transformers import PreTrainedTokenizerBase

from babelgrid.config.prompt import Label, Prompt
from babelgrid.prompts.answers import answer_tokens, label_paths
from babelgrid.prompts.template import encode_prompts, frame_of


@dataclass(frozen=True)
class Example:
    """A sequence of token ids; the model predicts those from index `first_target` on."""

    ids: tuple[int, ...]
    first_target: int


def train_examples(
    posts: pd.DataFrame,
    prompt: Prompt,
    labels: Mapping[str, Label],
    loss: Literal["label", "all"],
    tokenizer: PreTrainedTokenizerBase,
) -> list[Example]:
    """Return one example per post (columns language, text, label), in the order of the posts.

    If the loss is on the label, a sequence ends with the tokens that distinguish the label from all others. If it is on
    all tokens (arXiv 2508.06435), a sequence ends with the full answer and EOS, and all tokens but the first count.
    """
    examples: dict[int, Example] = {}
    for language, rows in posts.reset_index(drop=True).groupby("language", sort=False):
        frame = frame_of(prompt, str(language), tokenizer)
        encoded = encode_prompts(frame, rows["text"].tolist(), tokenizer, prompt.max_post_tokens)
        if loss == "label":
            endings = label_paths(prompt, labels, str(language), tokenizer)
        else:
            end = tokenizer.eos_token_id
            stop = () if end is None else (end,)
            endings = {name: answer_tokens(frame, label.answer, tokenizer) + stop for name, label in labels.items()}
        for row, label, ids in zip(rows.index, rows["label"], encoded, strict=True):
            first_target = len(ids) if loss == "label" else 1
            examples[row] = Example((*ids, *endings[label]), first_target)
    return [examples[row] for row in range(len(examples))]
