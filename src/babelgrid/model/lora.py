"""Check the layers that low-rank adapters are added to."""

from typing import Any

import torch

from babelgrid.config.finetune import Lora
from babelgrid.errors import UserError, nearest


def check_targets(model: Any, settings: Lora, key: str) -> None:
    """Raise `UserError` if the model lacks a target layer; key: the config block that contains `lora.targets`."""
    if isinstance(settings.targets, str):
        return
    linear = {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    for target in settings.targets:
        if target not in linear:
            raise UserError(
                f"{key}.lora.targets: the model has no linear layer {target!r}{nearest(target, linear)}. "
                f"Allowed: {', '.join(sorted(linear))}"
            )
