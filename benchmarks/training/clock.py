"""Record the time of each training step."""

import time
from typing import Any

import torch
from transformers import TrainerCallback


class Clock(TrainerCallback):
    """Record the time at the end of each step."""

    def __init__(self) -> None:
        """Start with an empty list of times."""
        self.times: list[tuple[float, float]] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Record wall time and CPU time once the device has finished its work."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append((time.perf_counter(), time.process_time()))
