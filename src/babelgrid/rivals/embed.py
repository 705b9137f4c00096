"""Embed posts with a frozen sentence encoder, once for each language."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, PreTrainedTokenizerBase

from babelgrid.base_files import base_folder, read_base
from babelgrid.errors import UserError
from babelgrid.model.base import choose_device, note_device
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.rivals.load import load_encoder, padded_batches, tokens_of
from babelgrid.runtime.files import provenance, read_parquet, write_parquet
from babelgrid.runtime.progress import progress_bar
from babelgrid.runtime.usage import Usage, working

log = logging.getLogger(__name__)

Vectors = NDArray[np.float32]


class Recipe(NamedTuple):
    """How the vector of a text is made."""

    prefix: str
    pooling: str
    """`mean` of the last hidden states of all tokens, or that of the first (`cls`)."""
    normalize: bool
    """Whether vectors have length 1."""
    max_tokens: int


def embed_posts(
    posts_path: Path, part: str, encoder_path: Path, settings: Mapping[str, Any], out: Path, usage: Usage
) -> None:
    """Write the embeddings of one language's posts in one part: id, label, embedding (float32).

    encoder_path: the record that `files.prefetch_encoder` wrote. part: `train` or `test`. settings: prefix and
    max_tokens, as in `config.rivals.Embedding`.
    """
    posts = read_parquet(posts_path, ["id", "text", "label", "split"])
    own = posts[posts["split"] == part].reset_index(drop=True)
    folder = base_folder(encoder_path)
    tokenizer = load_tokenizer(folder)
    device = choose_device()
    model, _ = load_encoder(AutoModel, folder, device.name)
    recipe = recipe_of(read_base(encoder_path)["sentence"], settings)
    with working(usage):
        vectors = embed(model, tokenizer, own["text"].tolist(), recipe, usage)
    usage.posts = len(own)
    note_device(usage, device)
    table = own[["id", "label"]].assign(embedding=list(vectors))
    record = provenance({"rivals": {"embedding": settings}, "part": part}, [encoder_path, posts_path])
    write_parquet(out, table, record)


def recipe_of(recorded: Mapping[str, Any], settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe of the folder and the config; the smaller of their limits of tokens holds."""
    limit = min(settings["max_tokens"], recorded["max_tokens"] or settings["max_tokens"])
    return Recipe(settings["prefix"], recorded["pooling"], recorded["normalize"], limit)


@torch.inference_mode()
def embed(
    model: Any, tokenizer: PreTrainedTokenizerBase, texts: list[str], recipe: Recipe, usage: Usage | None = None
) -> Vectors:
    """Return the vectors of texts, shape (texts, dimensions); padding has no influence on them.

    usage: receives the number of tokens read. Raises `UserError` if a vector is not finite.
    """
    encoded = tokens_of([recipe.prefix + text for text in texts], tokenizer, model.config, recipe.max_tokens)
    tokens = sum(map(len, encoded["input_ids"]))
    vectors = np.empty((len(texts), model.config.hidden_size), np.float32)
    with progress_bar(len(texts), 0, " posts") as bar:
        for rows, batch in padded_batches(encoded, tokenizer, model.device):
            vectors[rows] = pool(model, batch, recipe).cpu().numpy()
            bar.update(len(rows))
    if not np.isfinite(vectors).all():
        raise UserError("rivals.embedding: a vector is not finite (NaN or infinity): the encoder's weights are damaged")
    if usage is not None:
        usage.tokens += tokens
    log.info("%d posts, %d tokens, %d dimensions", len(texts), tokens, vectors.shape[1])
    return vectors


def pool(model: Any, batch: Any, recipe: Recipe) -> torch.Tensor:
    """Return the vectors [texts, dimensions] of a padded batch (Reimers and Gurevych 2019, arXiv 1908.10084)."""
    hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None].to(hidden.dtype)
    pooled = hidden[:, 0] if recipe.pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(pooled, dim=-1) if recipe.normalize else pooled
