"""Small random bases of several architectures, in the layout of a downloaded model."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from babelgrid.base_files import record_base

ARCHITECTURES = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
}
TRAINING_TEXT = [
    "new families arrived at the border this morning and everyone is welcome here",
    "ayer el equipo ganó el partido en el estadio",
    "Post: Answer: pro anti neutral other related unrelated 1 2 3 10",
    "tegnap este új családok érkeztek a határhoz, 새로운 가족들이 도착했어요",
] * 5


def train_tokenizer():
    """Train a byte-level BPE tokenizer that prepends one BOS token, as Llama 3's does."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|begin|>", "<|end|>", "<|pad|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=special[0], eos_token=special[1], pad_token=special[2]
    )


def write_base(folder, architecture, tied=True):
    """Write a random base with its tokenizer and base.json; return the path of base.json.

    tied: whether the output matrix is the input embedding, as in most small bases.
    """
    torch.manual_seed(0)
    config_class, model_class = ARCHITECTURES[architecture]
    config = config_class(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=512,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        tie_word_embeddings=tied,
        initializer_range=0.2,
    )
    model_class(config).save_pretrained(folder / "base")
    train_tokenizer().save_pretrained(folder / "base")
    record_base(f"random {architecture}", None, folder / "base", folder / "base.json")
    return folder / "base.json"
