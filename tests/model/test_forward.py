"""The forward pass equals plain transformers + peft on the full padded prompts, in float32."""

import numpy as np
import pandas as pd
import pytest
import torch
from peft import get_peft_model
from torch.nn.attention.bias import CausalBias

from babelgrid.config.base import Base
from babelgrid.config.finetune import Lora
from babelgrid.config.prompt import Label, Prompt
from babelgrid.model import attention, forward_path
from babelgrid.model.attention import Scores
from babelgrid.model.base import Device, load_base
from babelgrid.model.examples import train_examples
from babelgrid.model.forward import LOGITS, summed_loss
from babelgrid.model.lora import lora_config
from babelgrid.model.packing import collate
from babelgrid.model.predict import score_posts
from babelgrid.model.score import batches_by_length, label_log_probabilities
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json

CPU = Device("cpu", torch.float32)
LABELS = {"pro": Label(answer=" pro"), "anti": Label(answer=" anti"), "other": Label(answer=" other")}
TEMPLATES = {
    "text first": "{text}\nThe answer is one of pro, anti, other:",
    "text in the middle": "Post: {text}\nAnswer:",
    "text last": "Is the post pro, anti or other? The post: {text}",
}
POSTS = pd.DataFrame(
    {
        "id": ["1", "2", "3", "4"],
        "language": ["en", "en", "hu", "es"],
        "text": [
            "new families arrived",
            "everyone is welcome here at the border",
            "új családok",
            "ayer el equipo ganó",
        ],
        "label": ["pro", "anti", "other", "pro"],
    }
)


def adapted(base_path, dropout=0.0):
    """Return the 4-bit base with a LoRA adapter whose update is not zero."""
    torch.manual_seed(1)
    base = load_base(base_path, Base(folder="x"), CPU)
    model = get_peft_model(base, lora_config(Lora(rank=4, dropout=dropout), base))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return model


def padded_loss(model, examples):
    """Return the loss of plain transformers: prompts padded on the right, labels of -100 for unpredicted tokens."""
    width = max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), width), 2)
    labels = torch.full((len(examples), width), -100)
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        labels[row, example.first_target : len(example.ids)] = torch.tensor(example.ids[example.first_target :])
    mask = torch.arange(width)[None] < torch.tensor([len(example.ids) for example in examples])[:, None]
    return model(input_ids=ids, attention_mask=mask.long(), labels=labels, use_cache=False).loss


def gradient(model, loss):
    model.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "mistral"])
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("loss", ["label", "all"])
def test_loss_and_lora_gradient_equal_the_padded_computation(random_base, architecture, template, loss):
    base_path = random_base(architecture)
    model = adapted(base_path)
    tokenizer = load_tokenizer(read_json(base_path)["folder"])
    examples = train_examples(POSTS, Prompt(template=TEMPLATES[template]), LABELS, loss, tokenizer)
    batch = collate(examples)

    ours = summed_loss(model, batch) / batch["weights"].sum()
    expected = padded_loss(model, examples)
    our_gradient, expected_gradient = gradient(model, ours), gradient(model, expected)

    assert ours.item() == pytest.approx(expected.item(), rel=1e-5)
    assert (our_gradient - expected_gradient).norm() < 1e-4 * expected_gradient.norm()
    assert expected_gradient.norm() > 0


def test_instruction_before_the_post_is_computed_once(random_base):
    tokenizer = load_tokenizer(read_json(random_base())["folder"])
    examples = train_examples(POSTS, Prompt(template=TEMPLATES["text last"]), LABELS, "label", tokenizer)
    instruction = tokenizer(TEMPLATES["text last"].removesuffix(" {text}"))["input_ids"]
    batch = collate(examples)
    computed, all_tokens = len(batch["tokens"]), sum(len(example.ids) - 1 for example in examples)
    assert computed <= all_tokens - (len(examples) - 1) * len(instruction)


def test_no_padding_is_computed(random_base):
    tokenizer = load_tokenizer(read_json(random_base())["folder"])
    template = TEMPLATES["text first"]
    posts = pd.DataFrame({"language": "en", "text": ["a", "b " * 60], "label": "pro"})
    examples = train_examples(posts, Prompt(template=template), LABELS, "label", tokenizer)
    batch = collate(examples)
    shared = len(batch["tokens"]) - len(batch["places"])
    assert len(batch["tokens"]) == sum(len(example.ids) - 1 for example in examples) - shared


def test_batch_of_one_or_of_equal_posts_has_the_padded_loss(random_base):
    model = adapted(random_base())
    tokenizer = load_tokenizer(read_json(random_base())["folder"])
    same = pd.concat([POSTS.head(1)] * 3)
    for posts in (POSTS.head(1), same):
        for loss in ("label", "all"):
            examples = train_examples(posts, Prompt(), LABELS, loss, tokenizer)
            batch = collate(examples)
            ours = summed_loss(model, batch) / batch["weights"].sum()
            assert ours.item() == pytest.approx(padded_loss(model, examples).item(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_label_log_probabilities_equal_the_padded_computation(random_base, architecture, template):
    base_path = random_base(architecture)
    model = adapted(base_path).eval()
    tokenizer = load_tokenizer(read_json(base_path)["folder"])
    prompt = Prompt(template=TEMPLATES[template])

    table = score_posts(model, tokenizer, POSTS, "en", prompt, LABELS, tokens_per_batch=64)

    for row, text in enumerate(POSTS["text"]):
        ids = tokenizer(prompt.template.replace("{text}", text), return_tensors="pt")["input_ids"]
        log_probabilities = model(input_ids=ids, use_cache=False).logits[0, -1].log_softmax(-1)
        for label, settings in LABELS.items():
            [token] = tokenizer(settings.answer, add_special_tokens=False)["input_ids"][:1]
            assert table[f"logp_{label}"][row] == pytest.approx(log_probabilities[token].item(), abs=1e-4)


def test_labels_sharing_their_first_token_are_scored_fully(random_base):
    base_path = random_base()
    model = adapted(base_path).eval()
    prompt = [0, 30, 40, 50]
    paths = {"1": (60, 1), "10": (60, 61), "2": (62,)}

    [scores] = label_log_probabilities(model, [prompt], paths, tokens_per_batch=64)

    def log_probabilities(ids):
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].log_softmax(-1)

    root, inner = log_probabilities(prompt), log_probabilities([*prompt, 60])
    expected = [root[60] + inner[1], root[60] + inner[61], root[62]]
    np.testing.assert_allclose(scores, [value.item() for value in expected], atol=1e-4)


def test_evaluation_does_not_change_the_gradient(random_base):
    model = adapted(random_base()).train()
    tokenizer = load_tokenizer(read_json(random_base())["folder"])
    batch = collate(train_examples(POSTS, Prompt(), LABELS, "label", tokenizer))
    before = gradient(model, summed_loss(model, batch))
    with torch.inference_mode():
        summed_loss(model.eval(), batch)
    after = gradient(model.train(), summed_loss(model, batch))
    assert torch.equal(before, after)
    lora_a = [p.grad for name, p in model.named_parameters() if "lora_A" in name]
    assert all(grad is not None and grad.abs().max() > 0 for grad in lora_a)


def test_dequantized_weights_equal_those_of_bitsandbytes(random_base):
    import bitsandbytes as bnb
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    folder = read_json(random_base())["folder"]
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    quantized = AutoModelForCausalLM.from_pretrained(folder, quantization_config=nf4, dtype=torch.float32)
    ours = dict(load_base(random_base(), Base(folder="x"), CPU).named_modules())
    compared = 0
    for name, module in quantized.named_modules():
        if isinstance(module, bnb.nn.Linear4bit):
            theirs = bnb.functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
            assert torch.equal(ours[name].weight, theirs)
            compared += 1
    assert compared == 14


def test_scores_do_not_depend_on_how_posts_are_batched(random_base):
    model = adapted(random_base()).eval()
    tokenizer = load_tokenizer(read_json(random_base())["folder"])
    small = score_posts(model, tokenizer, POSTS, "en", Prompt(), LABELS, tokens_per_batch=1)
    large = score_posts(model, tokenizer, POSTS, "en", Prompt(), LABELS, tokens_per_batch=10_000)
    columns = [f"logp_{label}" for label in LABELS]
    np.testing.assert_allclose(small[columns], large[columns], atol=1e-5)


def test_bfloat16_loss_is_within_one_percent_of_float32(random_base):
    base_path = random_base()
    tokenizer = load_tokenizer(read_json(base_path)["folder"])
    batch = collate(train_examples(POSTS, Prompt(), LABELS, "all", tokenizer))
    exact = summed_loss(adapted(base_path), batch)
    half = adapted(base_path).to(torch.bfloat16)
    for name, weight in half.named_parameters():
        if "lora" in name:
            weight.data = weight.data.float()
    loss = summed_loss(half, batch)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-2)
    assert loss.item() != exact.item()
    loss.backward()
    assert all(weight.grad.dtype == torch.float32 for weight in half.parameters() if weight.requires_grad)


def test_merging_in_float32_does_not_change_scores(random_base):
    model = adapted(random_base()).eval()
    tokenizer = load_tokenizer(read_json(random_base())["folder"])
    beside = score_posts(model, tokenizer, POSTS, "en", Prompt(), LABELS, tokens_per_batch=64)
    merged = score_posts(model.merge_and_unload(), tokenizer, POSTS, "en", Prompt(), LABELS, tokens_per_batch=64)
    columns = [f"logp_{label}" for label in LABELS]
    np.testing.assert_allclose(merged[columns], beside[columns], atol=1e-4)


@pytest.mark.parametrize("key_heads", [2, 6])
def test_causal_bias_of_cuda_equals_the_mask(key_heads):
    shared, own = 7, 10
    generator = torch.Generator().manual_seed(0)
    heads = (6, key_heads, key_heads)
    lengths = (own, shared + own, shared + own)
    tensors = [
        torch.randn(3, count, length, 16, generator=generator, requires_grad=True)
        for count, length in zip(heads, lengths, strict=True)
    ]
    scores = Scores(dropout=0.0, scaling=None)
    mask = attention._mask_unless_causal(own, shared, None, torch.device("cpu"), scores)
    bias = attention._mask_unless_causal(own, shared, None, torch.device("cuda"), scores)
    assert isinstance(bias, CausalBias)
    found, expected = (attention._attend(*tensors, which, scores) for which in (bias, mask))
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(output.square().sum(), tensors) for output in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_path_in_16_bits_may_differ_as_much_as_the_model_from_itself(random_base, monkeypatch):
    base_path = random_base()
    model = load_base(base_path, Base(folder="x"), Device("cpu", torch.bfloat16))
    monkeypatch.setattr(forward_path, "tolerance", lambda dtype: 1e-6)
    monkeypatch.setattr(forward_path, "_check_causal", lambda *_: None)  # which has no second attention to compare with
    forward_path.choose_path(model, "base", "packed")
    assert model.forward_path == "packed"
    packed_logits = LOGITS["packed"]
    monkeypatch.setitem(LOGITS, "packed", lambda causal, batch: 1.1 * packed_logits(causal, batch))
    forward_path.choose_path(model, "base", "packed")
    assert model.forward_path == "padded"


def test_rows_agree_by_their_relative_distance():
    rows = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert forward_path.agree(rows, rows, torch.float32)
    assert forward_path.agree(rows + torch.tensor([[0.0], [1e-4]]), rows, torch.float32)
    assert not forward_path.agree(rows + torch.tensor([[1e-4], [0.0]]), rows, torch.float32)
    assert not forward_path.agree(rows * float("nan"), rows, torch.float32)


@pytest.mark.parametrize("path", ["thin", "packed", "padded"])
def test_labels_in_16_bits_do_not_tie_because_of_rounding(random_base, path):
    base_path = random_base()
    model = load_base(base_path, Base(folder="x"), Device("cpu", torch.bfloat16)).eval()
    forward_path._use(model, path, "sdpa" if path == "padded" else attention.ATTENTION)
    head = model.get_output_embeddings()
    head.weight.data = 40 * head.weight.data
    first, second = 5, 6
    head.weight.data[second] = head.weight.data[first]
    head.weight.data[second, 0] *= 1.02
    hidden = []
    handle = head.register_forward_hook(lambda _, inputs, __: hidden.append(inputs[0].reshape(-1, inputs[0].shape[-1])))
    generator = torch.Generator().manual_seed(0)
    prompts = [(0, 1, 2, *torch.randint(3, 40, (6,), generator=generator).tolist()) for _ in range(64)]
    paths = {"a": (first,), "b": (second,)}
    found = label_log_probabilities(model, prompts, paths, 10_000)
    handle.remove()
    states = torch.cat(hidden)
    order = [row for rows in batches_by_length([9] * 64, 10_000) for row in rows]
    exact = states.double() @ head.weight[[first, second]].double().T
    rounded = head(states)[:, [first, second]]
    difference = (exact[:, 0] - exact[:, 1]).numpy()
    np.testing.assert_allclose((found[:, 0] - found[:, 1])[order], difference, atol=1e-4)
    assert (rounded[:, 0] == rounded[:, 1]).sum() > 0
    assert (found[:, 0] == found[:, 1]).sum() == 0
