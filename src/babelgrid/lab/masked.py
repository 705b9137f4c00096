"""Pre-train the lab's encoder on the stream of the lab's base, so that both have the same exposure."""

import logging
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import ModernBertConfig, ModernBertForMaskedLM

from babelgrid.config.base import LabBase
from babelgrid.lab.compose import chance
from babelgrid.lab.pretrain import POSITIONS, Curve, rows_of, save_tokenizer, train, width_of_layers, write_curve
from babelgrid.lab.tokens import BOS, EOS, PAD, train_tokenizer, write_stream
from babelgrid.runtime.files import provenance, write_folder, write_json
from babelgrid.runtime.usage import Usage, working

log = logging.getLogger(__name__)

MASK = "<|mask|>"
MASKED = 0.3
"""Share of tokens to predict; all of them are replaced by the mask (Wettig et al. 2023, arXiv 2202.08005)."""
_IGNORED = -100


def pretrain_encoder(settings: LabBase, seed: int, threads: int, out: Path, usage: Usage) -> None:
    """Write a standard Hugging Face folder with a ModernBERT trained from scratch on the base's stream.

    Tokenizer, stream, order of rows, number of steps, schedule and sizes are those of the base with the same settings
    and seed (see `pretrain.pretrain_base`), and one token is added for masks. Each token is read once, as by the base.
    The base predicts all of them and the encoder `MASKED` of them.
    """
    torch.set_num_threads(threads)
    tokenizer = train_tokenizer(settings, seed)
    stream = write_stream(settings, tokenizer, seed)
    tokenizer.add_special_tokens([MASK])
    batches = rows_of(stream, settings, seed)
    model = _new_model(settings, tokenizer, seed)
    log.info("stream: %d tokens; model: %d parameters", len(stream.ids), model.num_parameters())
    mask = tokenizer.get_vocab()[MASK]
    chosen = torch.from_numpy(chance(seed, "masks").random(batches.shape) < MASKED)
    with working(usage):
        # A batch holds what the model reads and, below it, what it has to predict.
        pairs = torch.stack([batches.masked_fill(chosen, mask), batches.masked_fill(~chosen, _IGNORED)], dim=1)
        curve: Curve = train(model, pairs, settings, _masked_loss)
    usage.device, usage.tokens = f"CPU, threads: {threads}", len(stream.ids)

    def fill(folder: Path) -> None:
        model.save_pretrained(folder)
        save_tokenizer(tokenizer, folder, mask_token=MASK)
        write_curve(folder / "pretraining.csv", curve)
        stage = {"lab": settings.model_dump(mode="json"), "seed": seed, "threads": threads}
        write_json(folder / "provenance.json", provenance(stage, inputs=[]))

    write_folder(out, fill)


def _new_model(settings: LabBase, tokenizer: Tokenizer, seed: int) -> ModernBertForMaskedLM:
    config = ModernBertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=settings.hidden_size,
        intermediate_size=width_of_layers(settings),
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        max_position_embeddings=max(POSITIONS, settings.context),
        layer_types=["full_attention"] * settings.layers,
        classifier_pooling="mean",
        bos_token_id=tokenizer.token_to_id(BOS),
        cls_token_id=tokenizer.token_to_id(BOS),
        eos_token_id=tokenizer.token_to_id(EOS),
        sep_token_id=tokenizer.token_to_id(EOS),
        pad_token_id=tokenizer.token_to_id(PAD),
    )
    torch.manual_seed(seed)
    return ModernBertForMaskedLM(config)


def _masked_loss(model: ModernBertForMaskedLM, batch: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy of the masked tokens; batch: shape (2, rows, context)."""
    read, wanted = batch
    is_masked = wanted != _IGNORED
    hidden = model.model(input_ids=read, attention_mask=torch.ones_like(read)).last_hidden_state[is_masked]
    logits = model.decoder(model.head(hidden))
    return torch.nn.functional.cross_entropy(logits, wanted[is_masked])
