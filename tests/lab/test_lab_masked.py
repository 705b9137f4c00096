import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from babelgrid.config.base import LabBase
from babelgrid.config.rivals import Encoder
from babelgrid.lab import tokens
from babelgrid.lab.masked import MASK, pretrain_encoder
from babelgrid.lab.pretrain import pretrain_base
from babelgrid.rivals.encoder import build_model
from babelgrid.rivals.load import load_encoder
from babelgrid.runtime.usage import Usage

pytestmark = pytest.mark.grid

SETTINGS = LabBase(tokens=60_000, vocabulary=1024, hidden_size=32, layers=2, heads=2, batch_rows=8, learning_rate=3e-3)


@pytest.fixture(autouse=True, scope="module")
def little_text_for_the_tokenizer():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "TOKENIZER_CHARACTERS", 200_000)
        yield


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Return the folders of a base and of an encoder with the same settings and seed, and their usage."""
    place = tmp_path_factory.mktemp("lab")
    used = Usage(), Usage()
    pretrain_base(SETTINGS, 0, 1, place / "base", used[0])
    pretrain_encoder(SETTINGS, 0, 1, place / "encoder", used[1])
    return place, used


def test_encoder_reads_the_tokens_of_the_base(pair):
    place, used = pair
    assert used[0].tokens == used[1].tokens > 50_000
    base, encoder = (AutoTokenizer.from_pretrained(place / name) for name in ("base", "encoder"))
    text = "Good news! Ça va ? हम , 나 ."
    assert base(text).input_ids == encoder(text).input_ids
    assert encoder.mask_token == MASK
    assert encoder.mask_token_id == len(base)


def test_masked_loss_falls(pair):
    place, _ = pair
    lines = (place / "encoder/pretraining.csv").read_text(encoding="utf-8").splitlines()[1:]
    losses = np.array([float(line.split(",")[1]) for line in lines])
    assert losses[0] > 6
    assert losses[-5:].mean() < losses[:5].mean() - 0.5


def test_encoder_uses_context_on_both_sides(pair):
    place, _ = pair
    model, new = load_encoder(AutoModel, place / "encoder", "cpu")
    assert new == []
    with torch.no_grad():
        states = [model(input_ids=torch.tensor([[0, 300, 400, last]])).last_hidden_state[0, 1] for last in (500, 600)]
    assert not torch.allclose(*states)


def test_same_settings_give_the_same_bytes(pair, tmp_path):
    place, _ = pair
    pretrain_encoder(SETTINGS, 0, 1, tmp_path / "again", Usage())
    for name in ("model.safetensors", "tokenizer.json", "config.json", "pretraining.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (place / "encoder" / name).read_bytes(), name


def test_head_of_masked_tokens_stays_and_the_classifier_is_new(pair):
    place, _ = pair
    settings = Encoder(folder=str(place / "encoder"))
    _, new = load_encoder(AutoModelForSequenceClassification, place / "encoder", "cpu", num_labels=3)
    assert new == ["classifier"]
    assert build_model(place / "encoder", ["a", "b", "c"], settings, "cpu").config.num_labels == 3
