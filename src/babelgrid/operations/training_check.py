"""Train a small random base for three steps, to check that the whole stack works on this machine."""

import tempfile
from pathlib import Path

from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from babelgrid.base_files import record_base
from babelgrid.config.base import Base
from babelgrid.config.finetune import Finetune, Lora
from babelgrid.model.base import choose_device, load_base
from babelgrid.model.examples import Example
from babelgrid.model.lora import add_adapter
from babelgrid.model.trainer import build_trainer, training_arguments

STEPS = 3
EXAMPLES = [Example((1, *range(2, 20), 30 + number), 19) for number in range(4)]


def loss_of_three_steps() -> tuple[float, float]:
    """Return the losses of the first and the last step; every step trains on the same four sequences."""
    set_seed(0)
    device = choose_device()
    settings = Finetune(epochs=STEPS, batch_size=4, learning_rate=1e-2, warmup=0, lora=Lora(rank=4, dropout=0))
    with tempfile.TemporaryDirectory() as folder:
        model = add_adapter(load_base(_write_small_base(Path(folder)), Base(folder=folder), device), settings.lora)
        trainer = build_trainer(model, EXAMPLES, training_arguments(settings, device, 0, Path(folder)))
        trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return float(losses[0]), float(losses[-1])


def _write_small_base(folder: Path) -> Path:
    """Write a random Llama and its base.json; return the path of base.json."""
    config = LlamaConfig(
        vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4
    )
    LlamaForCausalLM(config).save_pretrained(folder / "base")
    record_base("random", None, folder / "base", folder / "base.json")
    return folder / "base.json"
