"""A small random encoder, in the layouts of transformers and of sentence-transformers."""

import json

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from bases import TRAINING_TEXT

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def train_wordpieces():
    """Train a WordPiece tokenizer that puts a text between [CLS] and [SEP], as BERT's does."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    ends = [(name, SPECIAL.index(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {f"{name[1:-1].lower()}_token": name for name in SPECIAL}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=32, **names)


def write_encoder(folder, *, modules=(), pooling=None, pooler=True):
    """Write a random BERT encoder with its tokenizer into a folder; return the folder.

    modules: kinds of sentence-transformers' steps after the transformer, such as `Pooling`. pooling: its config.json.
    pooler: whether the weights contain BERT's pooling layer.
    """
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
        initializer_range=0.2,
    )
    BertModel(config, add_pooling_layer=pooler).save_pretrained(folder)
    train_wordpieces().save_pretrained(folder)
    if modules:
        kinds = {"": "Transformer", **{f"{number}_{kind}": kind for number, kind in enumerate(modules, 1)}}
        steps = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds.items()]
        (folder / "modules.json").write_text(json.dumps(steps), encoding="utf-8")
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling/config.json").write_text(json.dumps(pooling), encoding="utf-8")
    return folder
