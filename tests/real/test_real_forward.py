"""Real bases on real tweets: the forward path equals plain transformers and peft on padded prompts, in float32."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from babelgrid.base_files import record_base
from babelgrid.config.base import Base
from babelgrid.config.finetune import Lora
from babelgrid.config.prompt import Label, Prompt
from babelgrid.model.base import Device, load_base
from babelgrid.model.base_types import judge_base
from babelgrid.model.examples import train_examples
from babelgrid.model.forward import answer_logits, causal_model, rows_and_columns, summed_loss
from babelgrid.model.lora import add_adapter
from babelgrid.model.packing import collate
from babelgrid.prompts.tokenizer import load_tokenizer

pytestmark = pytest.mark.real

BASES = Path(__file__).parents[2] / "data/bases"
LANGUAGES = ["ar", "de", "en", "es", "fr", "hi", "hu", "in", "it", "ko", "pl", "pt", "tr"]
LABELS = {
    "pro-immigration": Label(answer=" favour"),
    "anti-immigration": Label(answer=" against"),
    "neutral": Label(answer=" neutral"),
    "unrelated": Label(answer=" other"),
}
PROMPT = Prompt(
    template="Is the tweet in favour of immigration, against it, neutral or about some other topic?\n{text}\nAnswer:",
    max_post_tokens=48,
)


def sixteen_tweets(shared_file):
    """Return one or two tweets of each language."""
    tweets = pd.read_csv(shared_file("data/immigration13/tweets.csv"), dtype=str, keep_default_na=False)
    tweets = tweets[tweets["label"].isin(LABELS)]
    counts = {language: 2 if language in ("en", "es", "ko") else 1 for language in LANGUAGES}
    posts = pd.concat([tweets[tweets["lang"] == language].head(count) for language, count in counts.items()])
    return posts.rename(columns={"lang": "language"}).reset_index(drop=True)


def plain_logits(model, examples, pad):
    """Return the logits at the last inputs from transformers' own forward pass, four padded prompts at a time."""
    found = []
    for some in (examples[first : first + 4] for first in range(0, len(examples), 4)):
        width = max(len(example.ids) for example in some) - 1
        rows = [[*example.ids[:-1], *[pad] * (width + 1 - len(example.ids))] for example in some]
        mask = [[1] * (len(example.ids) - 1) + [0] * (width + 1 - len(example.ids)) for example in some]
        logits = model(input_ids=torch.tensor(rows), attention_mask=torch.tensor(mask), use_cache=False).logits
        found += [logits[row, len(example.ids) - 2] for row, example in enumerate(some)]
    return torch.stack(found)


def gradient(model, loss):
    model.zero_grad()
    loss.backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.requires_grad])


@pytest.mark.parametrize(("name", "path"), [("smollm2-135m-instruct", "thin"), ("gemma-3-270m", "packed")])
def test_real_base_equals_padded_transformers_and_peft(shared_file, tmp_path, name, path):
    folder = BASES / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing: run `make real-bases`")
    torch.manual_seed(0)
    assert judge_base(folder) == path
    record_base(name, None, folder, tmp_path / "base.json", path)
    model = add_adapter(
        load_base(tmp_path / "base.json", Base(folder=str(folder)), Device("cpu", torch.float32)), Lora(rank=4)
    )
    for weight_name, weight in model.named_parameters():
        if "lora_B" in weight_name:
            torch.nn.init.normal_(weight, std=0.02)
    causal = causal_model(model.eval())
    assert causal.forward_path == path
    tokenizer = load_tokenizer(folder)
    examples = train_examples(sixteen_tweets(shared_file), PROMPT, LABELS, "label", tokenizer)
    batch = collate(examples)
    ours, our_gradient = answer_logits(model, batch).detach(), gradient(model, summed_loss(model, batch))
    causal.set_attn_implementation("eager")
    theirs = plain_logits(model, examples, tokenizer.pad_token_id)[rows_and_columns(batch)[0]]
    loss = torch.nn.functional.cross_entropy(theirs, batch["targets"], reduction="sum")
    their_gradient = gradient(model, loss)
    assert (ours.log_softmax(-1) - theirs.log_softmax(-1)).abs().max() < 1e-4
    assert (our_gradient - their_gradient).norm() < 1e-4 * their_gradient.norm()
