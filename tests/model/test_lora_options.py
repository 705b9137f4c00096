"""peft's variants of LoRA train, and their adapters fit the unchanged base."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from babelgrid.config.base import Base
from babelgrid.config.finetune import Lora
from babelgrid.config.prompt import Prompt
from babelgrid.model.base import Device, load_base
from babelgrid.model.lora import add_adapter
from babelgrid.model.predict import load_adapted, score_posts
from babelgrid.prompts.tokenizer import load_base_tokenizer
from babelgrid.runtime.files import read_json, read_parquet
from training import BASE, LABELS, SETTINGS, train

CPU = Device("cpu", torch.float32)
OPTIONS = [
    {"use_rslora": True},
    {"use_dora": True},
    {"init_lora_weights": "gaussian"},
    {"init_lora_weights": "pissa"},
    {"init_lora_weights": "pissa", "use_rslora": True},
    {"init_lora_weights": "loftq"},
]


def product(folder):
    """Return the update of each layer, in float64."""
    tensors = {name: tensor.double() for name, tensor in load_file(folder / "adapter_model.safetensors").items()}
    downs = [name for name in tensors if "lora_A" in name]
    return {name: tensors[name.replace("lora_A", "lora_B")] @ tensors[name] for name in downs}


@pytest.mark.grid
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_adapter_learns_and_is_loaded_onto_the_unchanged_base(posts, random_base, tmp_path, options):
    settings = SETTINGS.model_copy(update={"epochs": 6, "lora": Lora(rank=4, alpha=8, dropout=0.0, **options)})
    adapter = train(posts, random_base(), tmp_path / "adapter", settings)
    model = load_adapted(random_base(), adapter, BASE)
    test = read_parquet(posts["en"], ["id", "text", "label", "split"]).query("split == 'test'").reset_index(drop=True)
    scored = score_posts(model, load_base_tokenizer(random_base()), test, "en", Prompt(), LABELS, 4096)
    assert (scored["predicted"] == scored["gold"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("rslora", [False, True])
def test_pissa_adapter_that_learnt_nothing_has_no_update(posts, random_base, tmp_path, rslora):
    lora = Lora(rank=4, dropout=0.0, init_lora_weights="pissa", use_rslora=rslora)
    still = SETTINGS.model_copy(update={"epochs": 1, "learning_rate": 1e-12, "lora": lora})
    adapter = train(posts, random_base(), tmp_path / "adapter", still)
    assert all(update.abs().max() < 1e-6 for update in product(adapter).values())
    config = read_json(adapter / "adapter_config.json")
    scale = config["lora_alpha"] / (np.sqrt(config["r"]) if rslora else config["r"])
    assert scale == pytest.approx(lora.alpha / (np.sqrt(lora.rank) if rslora else lora.rank))
    assert config["r"] == 8


def test_loftq_takes_the_largest_part_of_the_rounding_error(random_base):
    base = load_base(random_base(), Base(folder="x"), CPU)
    folder = Path(read_json(random_base())["folder"])
    model = add_adapter(base, Lora(rank=4, dropout=0.0, init_lora_weights="loftq"))
    name = "model.layers.0.mlp.up_proj"
    layer = model.get_base_model().get_submodule(name)
    lost = load_file(folder / "model.safetensors")[f"{name}.weight"] - layer.base_layer.weight
    update = layer.get_delta_weight("default")
    singular = torch.linalg.svdvals(lost)
    assert (lost - update).norm().item() == pytest.approx(singular[4:].norm().item(), rel=1e-4)
    assert singular[0] > 0


def test_dora_and_pissa_cannot_be_combined():
    with pytest.raises(ValidationError, match="cannot be combined"):
        Lora(use_dora=True, init_lora_weights="pissa")
