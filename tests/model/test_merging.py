"""Merged adapters have exactly the weighted sum of their parents' updates, or are refused."""

import copy
import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from babelgrid.base_files import read_base
from babelgrid.errors import UserError
from babelgrid.mixture import Merge, Mixture, Swap
from babelgrid.model.adapter import add_trained_adapter
from babelgrid.model.base import Device, load_base
from babelgrid.model.merging import Update, combine, merge_adapters, read_updates
from babelgrid.model.predict import load_adapted
from babelgrid.runtime.files import read_json, write_json
from bases import write_base
from training import BASE

CPU = Device("cpu", torch.float32)
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PARENTS = (Mixture("en", ("en",)), Mixture("hu", ("hu",)))
HALVES = Merge(PARENTS, (0.5, 0.5))
WEIGHTED = Merge(PARENTS, (0.7, 0.3))
BOTTOM = Merge(PARENTS, (0.5, 0.5), Swap(1, 0, 0))
MIDDLE = Merge(PARENTS, (0.5, 0.5), Swap(1, 1, 0))
IDS = torch.tensor([[0, 30, 40, 50, 7, 8]])


@pytest.fixture(scope="module")
def base_path(random_base):
    return random_base()


def write_adapter(base_path, folder, seed, **config):
    """Write an adapter as peft does, with random weights; return its folder."""
    torch.manual_seed(seed)
    settings = {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "down_proj"], **config}
    model = get_peft_model(load_base(base_path, BASE, CPU), LoraConfig(task_type="CAUSAL_LM", **settings))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.normal_(std=0.1)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def parents(base_path, tmp_path_factory):
    """Return two adapters of different rank and scale."""
    folder = tmp_path_factory.mktemp("parents")
    return [
        write_adapter(base_path, folder / "en", 1),
        write_adapter(base_path, folder / "hu", 2, r=3, lora_alpha=5, use_rslora=True),
    ]


def products(folder):
    """Return module -> s B A in float64, from the files alone, with peft's scale."""
    config, tensors = read_json(folder / CONFIG), load_file(folder / WEIGHTS)
    found = {}
    for name, tensor in tensors.items():
        if name.endswith("lora_A.weight"):
            module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            rank = len(tensor)
            alphas = {key.replace("\\", ""): value for key, value in config["alpha_pattern"].items()}
            alpha = alphas.get(module, config["lora_alpha"])
            scale = alpha / (rank**0.5 if config["use_rslora"] else rank)
            found[module] = scale * tensors[name.replace("lora_A", "lora_B")].double() @ tensor.double()
    return found


def merged(base_path, parents, out, merge):
    merge_adapters(parents, base_path, out, merge=merge, settings={"mixture": "merged", "seed": 0})
    return out


def logits(model):
    with torch.inference_mode():
        return model(input_ids=IDS, use_cache=False).logits.double()


@pytest.mark.parametrize("merge", [HALVES, WEIGHTED])
def test_average_has_the_weighted_sum_of_products(base_path, parents, tmp_path, merge):
    """The product is exact up to one rounding of each entry of B to float32."""
    out = products(merged(base_path, parents, tmp_path / "out", merge))
    en, hu = map(products, parents)
    assert len(out) == 4
    for module, product in out.items():
        wanted = merge.weights[0] * en[module] + merge.weights[1] * hu[module]
        assert torch.linalg.norm(product - wanted) <= 2**-23 * torch.linalg.norm(wanted)
        # Averaging the matrices A and B would not give this product; the parents differ.
        assert torch.linalg.norm(en[module] - hu[module]) > 0.5 * torch.linalg.norm(wanted)


def test_ranks_add_up_and_the_scale_is_one(base_path, parents, tmp_path):
    config = read_json(merged(base_path, parents, tmp_path / "out", WEIGHTED) / CONFIG)
    assert (config["r"], config["lora_alpha"], config["use_rslora"]) == (7, 7, False)
    assert (config["rank_pattern"], config["alpha_pattern"]) == ({}, {})


@pytest.mark.slow
@pytest.mark.parametrize("merge", [HALVES, WEIGHTED, BOTTOM])
def test_logits_are_those_of_a_base_with_the_sum_added(base_path, parents, tmp_path, merge):
    out = merged(base_path, parents, tmp_path / "out", merge)
    base = load_base(base_path, BASE, CPU)
    en, hu = map(products, parents)
    added = copy.deepcopy(base)
    with torch.no_grad():
        for module in en:
            layer = int(module.split(".")[2])
            weights = merge.weights_in(layer, 2)
            added.get_submodule(module).weight += (weights[0] * en[module] + weights[1] * hu[module]).float()
    untuned, wanted = logits(base.eval()), logits(added.eval())
    assert (wanted - untuned).abs().max() > 0.1
    for model in (add_trained_adapter(copy.deepcopy(base), out, base_path), load_adapted(base_path, out, BASE, CPU)):
        assert (logits(model) - wanted).abs().max() < 1e-4


def test_layer_swap_has_the_ranks_of_each_layer(base_path, parents, tmp_path):
    out = products(merged(base_path, parents, tmp_path / "out", BOTTOM))
    en, hu = map(products, parents)
    for module, product in out.items():
        wanted = (en if ".0." in module else hu)[module]
        assert torch.linalg.norm(product - wanted) <= 2**-23 * torch.linalg.norm(wanted)
    tensors = load_file(tmp_path / "out" / WEIGHTS)
    ranks = {name.split(".")[4]: len(tensor) for name, tensor in tensors.items() if "lora_A" in name}
    assert ranks == {"0": 4, "1": 3}


@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 2), st.integers(1, 12))
def test_layers_of_a_swap_come_from_the_right_parent(bottom, top, transition, layers):
    merge = Merge(PARENTS, (0.5, 0.5), Swap(bottom, top, transition))
    borders = (bottom > 0) + (top > 0)
    found = [merge.weights_in(layer, layers) for layer in range(layers)]
    if not borders or bottom + top + transition * borders >= layers:
        return
    below, above = [(0.5, 0.5)] * transition * (bottom > 0), [(0.5, 0.5)] * transition * (top > 0)
    middle = layers - bottom - top - transition * borders
    outer = (1.0, 0.0)
    assert found == [outer] * bottom + below + [(0.0, 1.0)] * middle + above + [outer] * top


def test_transition_layer_averages_and_the_output_matrix_belongs_to_the_top():
    generator = torch.Generator().manual_seed(0)

    def update():
        return Update(torch.randn(2, 5, generator=generator), torch.randn(6, 2, generator=generator).double())

    modules = [*(f"model.layers.{layer}.mlp.experts.9.up_proj" for layer in range(11)), "lm_head"]
    en, hu = ({module: update() for module in modules} for _ in range(2))
    out = combine([en, hu], Merge(PARENTS, (0.5, 0.5), Swap(2, 3, 1)), ["en", "hu"])
    sources = dict(zip(modules, [*"ee", "-", *"hhhh", "-", *"eee", "e"], strict=True))
    for module, source in sources.items():
        mine, theirs = (own[module].outer @ own[module].inner.double() for own in (en, hu))
        wanted = {"e": mine, "h": theirs, "-": 0.5 * mine + 0.5 * theirs}[source]
        product = out[module].outer @ out[module].inner.double()
        assert torch.allclose(product, wanted, rtol=1e-12, atol=1e-12), module


def test_merging_twice_gives_the_same_bytes(base_path, parents, tmp_path):
    folders = [merged(base_path, parents, tmp_path / name, WEIGHTED) for name in ("one", "two")]
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert files[0] == files[1]
    assert set(files[0]) == {WEIGHTS, CONFIG, "provenance.json"}
    record = json.loads(files[0]["provenance.json"])
    assert record["settings"] == {"mixture": "merged", "seed": 0}
    assert len(record["inputs"]) == 3


def test_order_of_parents_changes_only_rounding(base_path, parents, tmp_path):
    one = products(merged(base_path, parents, tmp_path / "one", WEIGHTED))
    turned = Merge(PARENTS[::-1], WEIGHTED.weights[::-1])
    two = products(merged(base_path, parents[::-1], tmp_path / "two", turned))
    for module in one:
        np.testing.assert_allclose(one[module], two[module], rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"use_dora": True}, "sets use_dora"),
        ({"bias": "all"}, "sets bias"),
        ({"modules_to_save": ["lm_head"]}, "sets modules_to_save"),
        ({"rank_pattern": {"q_proj": 2}}, "sets rank_pattern"),
        ({"target_modules": ["q_proj", "embed_tokens"]}, "not a matrix A or B of a linear layer"),
    ],
)
def test_adapter_that_is_no_plain_product_is_refused(base_path, tmp_path, config, words):
    folder = write_adapter(base_path, tmp_path / "odd", 1, **config)
    with pytest.raises(UserError, match=words):
        read_updates(folder, read_base(base_path))


@pytest.mark.slow
def test_parents_that_do_not_belong_together_are_refused(base_path, parents, tmp_path):
    other = write_adapter(base_path, tmp_path / "other", 1, target_modules=["q_proj"])
    with pytest.raises(UserError, match="target_modules differs"):
        merged(base_path, [parents[0], other], tmp_path / "out", HALVES)
    elsewhere = write_adapter(write_base(tmp_path, "qwen2"), tmp_path / "elsewhere", 1)
    write_json(elsewhere / CONFIG, {**read_json(elsewhere / CONFIG), "base_model_name_or_path": "another"})
    with pytest.raises(UserError, match="was trained on the base 'another'"):
        merged(base_path, [parents[0], elsewhere], tmp_path / "out", HALVES)
    assert not (tmp_path / "out").exists()


def test_swap_without_a_middle_layer_is_refused(base_path, parents, tmp_path):
    with pytest.raises(UserError, match="leave no middle layer: the adapters have 2 layers"):
        merged(base_path, parents, tmp_path / "out", MIDDLE)


def test_every_pair_of_equal_parents_is_the_parent(base_path, parents, tmp_path):
    """An adapter averaged with itself is itself, whatever the weights."""
    for number, (merge, folder) in enumerate(itertools.product([HALVES, WEIGHTED], parents)):
        out = products(merged(base_path, [folder, folder], tmp_path / str(number), merge))
        for module, product in products(folder).items():
            assert torch.linalg.norm(out[module] - product) <= 2**-23 * torch.linalg.norm(product)
