"""Find out from a base's config.json alone which forward path it will take, with a small random model of its type."""

import copy
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

from babelgrid.errors import UserError, in_one_line
from babelgrid.model.examples import Example
from babelgrid.model.forward import ForwardPath, causal_model
from babelgrid.model.forward_path import check_gradients, choose_path
from babelgrid.model.lora import layers_to_leave_out

log = logging.getLogger(__name__)

VOCABULARY = 128
WINDOW = 6
"""Tokens that windowed attention reaches in the small model; shorter than `EXAMPLES`, so windows have an effect."""
EXAMPLES = (
    Example((5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16), 1),
    Example((5, 6, 7, 20, 21), 1),
    Example((5, 6, 7, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42), 1),
)
# Sizes under their standard names; `attribute_map` of a configuration translates them.
SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "moe_intermediate_size": 32,
    "num_attention_heads": 4,
    "head_dim": 16,
    "max_position_embeddings": 128,
}
EXPERTS = {
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_k", "top_k_experts"), 2),
    **dict.fromkeys(("n_group", "topk_group"), 1),
}
# Tried in order, since the sizes of some types must fit together.
TRIALS = (
    SIZES | EXPERTS,
    {name: size for name, size in SIZES.items() if name != "head_dim"} | EXPERTS,
    {"hidden_size": 256, "intermediate_size": 96, **EXPERTS},
    EXPERTS,
)
MAX_PARAMETERS = 300_000_000
"""Weights of the largest model that is built to find a path; 1.2 GB in float32."""
WINDOWS = ("sliding_window", "attention_chunk_size", "attention_window_size", "window_size")
STANDARD_DEVIATION = 0.1


def judge_base(folder: Path) -> ForwardPath:
    """Return the forward path of a base, from its config.json.

    Raises `UserError` if the base is no causal language model, or if no forward path works for it.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # a third-party file may raise any exception in transformers
        raise UserError(
            f"{folder}/config.json: transformers cannot read it ({in_one_line(error)}). Use a base of a type in "
            "docs/bases.md, as its publisher distributes it"
        ) from error
    if type(config) not in AutoModelForCausalLM._model_mapping:
        raise UserError(
            f"{folder}/config.json: {config.model_type!r} is not a causal language model in transformers. Use a decoder"
        )
    model = small_model(config)
    if model is None:
        log.warning("%s: no small model of type %r can be built, so its path is found when it is loaded",
                    folder, config.model_type)  # fmt: skip
        return "thin"
    return judge_model(model, folder)


def judge_model(model: Any, source: object) -> ForwardPath:
    """Return the first forward path that gives the model's own logits and, with an adapter, its gradients."""
    choose_path(model, source, examples=EXAMPLES)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    leave_out = layers_to_leave_out(model)
    settings = LoraConfig(r=2, target_modules="all-linear", exclude_modules=leave_out or None, init_lora_weights=False)
    try:
        adapted = get_peft_model(model, settings)
    except Exception as error:  # peft does not know all types
        raise UserError(f"{source}: peft cannot add an adapter to it ({in_one_line(error)})") from error
    check_gradients(adapted, EXAMPLES)
    path: ForwardPath = causal_model(adapted).forward_path
    return path


def small_model(config: PreTrainedConfig) -> Any | None:
    """Return a small random model of a configuration's type, with all kinds of its layers; None if there is none.

    It first shrinks all sizes; if these do not fit together, fewer of them, and always the numbers of layers, experts
    and tokens.
    """
    for sizes in TRIALS:
        try:
            small = shrink(config, sizes)
            if _count_parameters(small) > MAX_PARAMETERS:
                continue
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                    small, attn_implementation="eager", dtype=torch.float32
                )
                _randomize(model)
            with torch.inference_mode():
                model(input_ids=torch.tensor([EXAMPLES[0].ids]), use_cache=False)
        except Exception as error:  # code of many models, which may raise any exception
            log.debug("%s: %s: %s", config.model_type, type(error).__name__, in_one_line(error))
            continue
        return model.eval()
    return None


def shrink(config: PreTrainedConfig, sizes: Mapping[str, int]) -> PreTrainedConfig:
    """Return the configuration of a model with few layers and tokens, short windows, and the given sizes."""
    content = config.to_dict()
    for name in config.sub_configs:
        if isinstance(getattr(config, name, None), PreTrainedConfig):
            content[name] = shrink(getattr(config, name), sizes).to_dict()
    names = dict(config.attribute_map)
    new: dict[str, Any] = {names.get(name, name): size for name, size in sizes.items()}
    if "num_key_value_heads" in content and "num_attention_heads" in sizes:
        grouped = content["num_key_value_heads"] != content.get("num_attention_heads")
        new["num_key_value_heads"] = sizes["num_attention_heads"] // (2 if grouped else 1)
    layers = names.get("num_hidden_layers", "num_hidden_layers")
    new[layers], kept = _layers_of(content, layers)
    new |= kept | {names.get("vocab_size", "vocab_size"): VOCABULARY}
    new |= {name: WINDOW for name in WINDOWS if content.get(name)}
    new |= {name: min(content[name], 2) for name in content if name.endswith("_token_id") and _is_whole(content[name])}
    known = {name: value for name, value in new.items() if name in content and content[name] is not None}
    return type(config)(**(copy.deepcopy(content) | known))


def _layers_of(content: Mapping[str, Any], layers: str) -> tuple[int, dict[str, list[Any]]]:
    """Return the smallest number of first layers with all kinds of layers, and the lists with one item per layer."""
    total = content.get(layers)
    lists = {name: its for name, its in content.items() if isinstance(its, list) and len(its) == total and total}
    kinds = [tuple(map(str, kind)) for kind in zip(*lists.values(), strict=True)] if lists else []
    first = max((kinds.index(kind) + 1 for kind in set(kinds)), default=2)
    count = max(first, 2)
    return count, {name: its[:count] for name, its in lists.items()}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count_parameters(config: PreTrainedConfig) -> int:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    return sum(parameter.numel() for parameter in model.parameters())


def _randomize(model: torch.nn.Module) -> None:
    """Draw all weights, since the initial values of some types are zeros or ones, which hide differences."""
    with torch.no_grad():
        for parameter in _floating(model):
            if parameter.ndim > 1:
                parameter.normal_(std=STANDARD_DEVIATION)
            else:
                parameter.add_(torch.randn_like(parameter), alpha=STANDARD_DEVIATION)


def _floating(model: torch.nn.Module) -> Iterator[torch.nn.Parameter]:
    return (parameter for parameter in model.parameters() if parameter.is_floating_point())
