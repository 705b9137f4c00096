"""Generate the code that loads a released model with plain libraries and labels a post, for card and parity check."""

import inspect
from collections.abc import Collection, Mapping
from pathlib import Path

from babelgrid.config.base import Base
from babelgrid.config.prompt import Label, Prompt
from babelgrid.prompts.answers import label_paths
from babelgrid.prompts.neutral import control_ids, control_spans, neutral_posts, open_spans, prompt_ids, shorten
from babelgrid.prompts.template import frame_of
from babelgrid.prompts.tokenizer import load_base_tokenizer

DEVICE = """\
DEVICE, DTYPE = ("cuda", torch.bfloat16) if torch.cuda.is_available() else ("cpu", torch.float32)
"""
ADAPTER = (
    """\
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

"""
    + DEVICE
    + """\
nf4 = BitsAndBytesConfig(
    load_in_4bit=True,
    bnb_4bit_quant_type="nf4",
    bnb_4bit_use_double_quant={double},
    bnb_4bit_compute_dtype=DTYPE,
)
tokenizer = AutoTokenizer.from_pretrained({source})
base = AutoModelForCausalLM.from_pretrained({source}, quantization_config=nf4, dtype=DTYPE, device_map=DEVICE)
model = PeftModel.from_pretrained(base, ".").eval()
"""
)
MERGED = (
    """\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

"""
    + DEVICE
    + """\
tokenizer = AutoTokenizer.from_pretrained("merged")
model = AutoModelForCausalLM.from_pretrained({weights}, dtype=DTYPE, device_map=DEVICE).eval()
"""
)
# The source of these functions is part of the code, so that a post gets the same prompt as in the grid.
FUNCTIONS = (control_spans, open_spans, neutral_posts, shorten, prompt_ids)
LABEL_OF = """\

from typing import Any

# The text before and after a post, and the tokens that distinguish each label from the others.
FRAMES = {frames!r}
LABELS = {labels!r}
# Control tokens of the model, such as the end of a turn; a post must not contain any of them.
CONTROLS = {controls}


{functions}

@torch.inference_mode()
def label_of(post, language={default!r}):
    before, after = FRAMES[language]
    [prompt] = prompt_ids([post], before, after, tokenizer, CONTROLS, {special}, {most})
    scores = {{}}
    for label, tokens in LABELS[language].items():
        ids = torch.tensor([prompt + tokens], device=DEVICE)
        logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1]
        scores[label] = logits.float().log_softmax(-1)[range(len(tokens)), tokens].sum().item()
    if not torch.tensor(list(scores.values())).isfinite().all():
        raise ValueError("a log-probability is not a finite number")
    return max(scores, key=scores.get)
"""


def load_adapter_lines(base: Base, name: str, revision: str | None) -> str:
    """Return the code that loads the adapter on its base in NF4; run it in the released folder."""
    source = repr(name) if revision is None else f"{name!r}, revision={revision!r}"
    return ADAPTER.format(source=source, double=base.double_quantization)


def load_merged_lines() -> str:
    """Return the code that loads the merged weights."""
    return MERGED.format(weights='"merged"')


def load_gguf_lines() -> str:
    """Return the code that loads the GGUF with transformers, which dequantises it."""
    return MERGED.format(weights='"gguf", gguf_file="model.gguf"')


def label_lines(base_path: Path, prompt: Prompt, labels: Mapping[str, Label]) -> str:
    """Return the code that defines `label_of(post, language)` for a clean post; it needs a loaded model."""
    tokenizer = load_base_tokenizer(base_path)
    languages = language_keys(prompt)
    frames = {language: frame_of(prompt, language, tokenizer) for language in languages}
    return LABEL_OF.format(
        frames={language: (frame.before, frame.after) for language, frame in frames.items()},
        labels={
            language: {name: list(path) for name, path in label_paths(prompt, labels, language, tokenizer).items()}
            for language in languages
        },
        controls=_as_ranges(control_ids(tokenizer)),
        functions="\n\n".join(inspect.getsource(function) for function in FUNCTIONS),
        default=languages[0],
        most=prompt.max_post_tokens,
        special=frames[languages[0]].add_special_tokens,
    )


def _as_ranges(ids: Collection[int]) -> str:
    """Return a set of ids as Python source, with consecutive ids as ranges."""
    runs: list[list[int]] = []
    for number in sorted(ids):
        if runs and runs[-1][1] == number:
            runs[-1][1] += 1
        else:
            runs.append([number, number + 1])
    return f"{{{', '.join(f'*range({first}, {end})' for first, end in runs)}}}" if runs else "set()"


def language_keys(prompt: Prompt) -> list[str]:
    """Return the languages with their own template, or only English if all posts use the English template."""
    return list(prompt.template) if prompt.language == "native" else ["en"]
