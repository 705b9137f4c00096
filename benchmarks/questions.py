"""Create inputs for benchmarks: a random base with a given vocabulary, and lab posts with the study's prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from babelgrid.base_files import record_base
from babelgrid.config.base import LabBase
from babelgrid.config.load import read_experiment
from babelgrid.config.posts import LabPosts
from babelgrid.config.prompt import Label, Prompt
from babelgrid.lab.posts import write_lab_posts
from babelgrid.lab.tokens import WORDS
from babelgrid.model.base import choose_device
from babelgrid.prompts.answers import TokenPath, label_paths
from babelgrid.prompts.template import Frame, encode_prompts, frame_of

STUDY = Path(__file__).parents[1] / "config" / "paper.yaml"
SPECIAL = ("<|bos|>", "<|eos|>", "<|pad|>")
# The lab's posts do not yield more merges than this; a larger vocabulary has rows that are never used.
MAX_VOCABULARY = 8192


@dataclass(frozen=True)
class Questions:
    """Posts with the prompts and answers that all sides use; the tokens are the same for every side."""

    texts: Sequence[str]
    frame: Frame
    labels: Mapping[str, Label]
    prompts: Sequence[Sequence[int]]
    """Token ids of each post's prompt."""
    paths: Mapping[str, TokenPath]
    """Token ids of each label's answer."""

    @property
    def contexts(self) -> list[str]:
        """Return the prompts as text."""
        return [self.frame.before + text + self.frame.after for text in self.texts]


def templates() -> dict[str, str]:
    """Return the study's template, with the post first, and the same text with the instruction first."""
    study = read_experiment(STUDY).prompt.template_for("en")
    post, instruction, answer = study.partition("\n\n")[0], study.partition("\n\n")[2].rpartition("\n")[0], "Answer:"
    return {"study": study, "instruction first": f"{instruction}\n\n{post}\n{answer}"}


def lab_texts(folder: Path, posts_per_language: int) -> list[str]:
    """Return the texts of lab test posts, with the given number of posts in each of its 13 languages."""
    write_lab_posts(LabPosts(train=8, dev=0, test=posts_per_language), 0, folder / "posts.csv")
    posts = pd.read_csv(folder / "posts.csv", dtype=str)
    return posts.loc[posts["part"] == "test", "text"].tolist()


def ask(texts: Sequence[str], template: str, tokenizer: PreTrainedTokenizerBase) -> Questions:
    """Insert each post into the template, with the study's labels and answers."""
    labels = read_experiment(STUDY).labels
    prompt = Prompt(template=template)
    frame = frame_of(prompt, "en", tokenizer)
    prompts = encode_prompts(frame, texts, tokenizer, prompt.max_post_tokens)
    return Questions(texts, frame, labels, prompts, label_paths(prompt, labels, "en", tokenizer))


def lab_shape(vocabulary: int) -> LlamaConfig:
    """Return the config of the lab's base with a vocabulary of this size."""
    lab = LabBase()
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=lab.hidden_size,
        intermediate_size=64 * round(lab.hidden_size * 8 / 3 / 64),
        num_hidden_layers=lab.layers,
        num_attention_heads=lab.heads,
        num_key_value_heads=lab.heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        # Large enough for the answer to depend on the post, as in a trained model.
        initializer_range=0.2,
    )


def write_random_base(folder: Path, shape: LlamaConfig, texts: Sequence[str]) -> Path:
    """Write a random Llama (created on the GPU if there is one) and a tokenizer; return the path of base.json."""
    torch.manual_seed(0)
    device = choose_device()
    with torch.device(device.name):
        model = LlamaForCausalLM(shape).to(device.dtype)
    model.save_pretrained(folder / "base")
    _train_tokenizer(min(shape.vocab_size, MAX_VOCABULARY), texts).save_pretrained(folder / "base")
    record_base(f"random, {shape.vocab_size} tokens", None, folder / "base", folder / "base.json")
    return folder / "base.json"


def _train_tokenizer(vocabulary: int, texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level tokenizer on the posts and the instruction, whose words real tokenizers know too."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(WORDS), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, *list(templates().values()) * len(texts)], trainer)
    bos, eos, pad = SPECIAL
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=bos, eos_token=eos, pad_token=pad)
