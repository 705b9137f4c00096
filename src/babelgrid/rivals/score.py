"""Score test posts with a fine-tuned encoder."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load
from transformers import PreTrainedTokenizerBase

from babelgrid.base_files import base_folder
from babelgrid.config.rivals import PLACE_KEYS, Encoder
from babelgrid.errors import UserError, in_one_line
from babelgrid.model.base import choose_device, note_device
from babelgrid.model.predictions import predictions_of
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.rivals.encoder import build_model, trained_parameters
from babelgrid.rivals.load import padded_batches, tokens_of
from babelgrid.runtime.files import provenance, read_parquet, write_parquet
from babelgrid.runtime.progress import progress_bar
from babelgrid.runtime.usage import Usage, working
from babelgrid.types import Floats

log = logging.getLogger(__name__)


def predict_encoder(
    trained_path: Path,
    encoder_path: Path,
    posts: Mapping[str, Path],
    outputs: Mapping[str, Path],
    *,
    labels: Sequence[str],
    settings: Encoder,
    usage: Usage,
) -> None:
    """Write the predictions for each language's test posts, in the form of `model.predict`.

    trained_path: the parameters that `encoder.train_encoder` wrote. posts, outputs: by test language.
    """
    device = choose_device()
    folder = base_folder(encoder_path)
    tokenizer = load_tokenizer(folder)
    model = load_trained(build_model(folder, labels, settings, device.name), trained_path)
    record = {"rivals": {"encoder": settings.model_dump(mode="json", exclude=set(PLACE_KEYS))}}
    for language, path in posts.items():
        frame = read_parquet(path, ["id", "text", "label", "split"])
        test = frame[frame["split"] == "test"].reset_index(drop=True)
        with working(usage):
            scores = score_texts(model, tokenizer, test["text"].tolist(), settings.max_tokens, usage)
        table = predictions_of(test, scores, labels)
        write_parquet(outputs[language], table, provenance(record, [encoder_path, path, trained_path]))
        usage.posts += len(test)
        log.info("%s: %d posts", language, len(test))
    note_device(usage, device)


def load_trained(model: Any, path: Path) -> Any:
    """Put trained parameters into the model that they were trained in; `UserError` unless every one has its place."""
    try:
        tensors = load(path.read_bytes())
    except Exception as error:
        raise UserError(f"{path}: cannot be read ({in_one_line(error)}). Delete it and run again") from error
    expected = {name: tensor.shape for name, tensor in trained_parameters(model).items()}
    if expected != {name: tensor.shape for name, tensor in tensors.items()}:
        raise UserError(f"{path}: does not fit this encoder and rivals.encoder. Delete it and run again")
    model.load_state_dict(tensors, strict=False)
    return model.eval()


@torch.inference_mode()
def score_texts(
    model: Any, tokenizer: PreTrainedTokenizerBase, texts: list[str], max_tokens: int, usage: Usage
) -> Floats:
    """Return the natural log-probability of each label, shape (texts, labels); `UserError` if one is not finite."""
    encoded = tokens_of(texts, tokenizer, model.config, max_tokens)
    scores = np.empty((len(texts), model.config.num_labels))
    with progress_bar(len(texts), 0, " posts") as bar:
        for rows, batch in padded_batches(encoded, tokenizer, model.device):
            scores[rows] = model(**batch).logits.double().log_softmax(-1).cpu().numpy()
            bar.update(len(rows))
    usage.tokens += sum(map(len, encoded["input_ids"]))
    if not np.isfinite(scores).all():
        raise UserError("rivals.encoder: a log-probability is not finite, so nothing is written. Train again")
    return scores
