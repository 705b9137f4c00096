"""Three steps of training on a small random base: does the whole stack work here?"""

import tempfile
from pathlib import Path

from peft import get_peft_model
from transformers import BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM, set_seed

from babelgrid.config.finetune import Finetune, Lora
from babelgrid.model.attention import ATTENTION
from babelgrid.model.base import choose_device
from babelgrid.model.examples import Example
from babelgrid.model.finetune import lora_config
from babelgrid.model.trainer import build_trainer, training_arguments

STEPS = 3
EXAMPLES = [Example((1, *range(2, 20), 30 + number), 19) for number in range(4)]


def loss_of_three_steps() -> tuple[float, float]:
    """Return the losses of the first and of the last step; the same four sequences are learnt at each."""
    set_seed(0)
    device = choose_device()
    settings = Finetune(epochs=STEPS, batch_size=4, learning_rate=1e-2, warmup=0, lora=Lora(rank=4, dropout=0))
    with tempfile.TemporaryDirectory() as folder:
        model = get_peft_model(_small_base(Path(folder)), lora_config(settings.lora))
        trainer = build_trainer(model, EXAMPLES, training_arguments(settings, device, 0, Path(folder)))
        trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return float(losses[0]), float(losses[-1])


def _small_base(folder: Path) -> LlamaForCausalLM:
    """Write a random Llama and load it in 4 bits, as jobs load theirs; on a CPU dequantised, as there."""
    config = LlamaConfig(
        vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    device = choose_device()
    model: LlamaForCausalLM = LlamaForCausalLM.from_pretrained(
        folder,
        quantization_config=BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4"),  # type: ignore[no-untyped-call]
        dtype=device.dtype,
        device_map={"": device.name},
        attn_implementation=ATTENTION,
    )
    if device.name == "cpu":
        model.dequantize(dtype=device.dtype)  # type: ignore[no-untyped-call]
    return model
