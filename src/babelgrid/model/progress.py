"""Report training progress in the log and, on a terminal, in a progress bar."""

import logging
import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from babelgrid.runtime.progress import progress_bar

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0


class LogProgress(TrainerCallback):
    """Log step, loss, speed and time left, at most every ten seconds and at the end."""

    tokens = 0
    """Tokens computed since this job began training; counted by the trainer."""
    first_step = 0
    """Steps completed before this job began training."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the timer; a resumed run counts from its first new step."""
        self._start = self._last = time.monotonic()
        self.first_step = state.global_step
        self.tokens = 0
        self._bar = progress_bar(state.max_steps, state.global_step, " steps")

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Close the progress bar."""
        self._bar.close()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Update the progress bar, and log a line if one is due."""
        if logs and "loss" in logs:
            self._bar.set_postfix({"loss": float(logs["loss"])}, refresh=False)
            self._bar.update(state.global_step - self._bar.n)
        now = time.monotonic()
        is_last = state.global_step == state.max_steps
        if not logs or "loss" not in logs or (now - self._last < SECONDS_BETWEEN_LINES and not is_last):
            return
        self._last = now
        done = state.global_step - self.first_step
        seconds = max(now - self._start, 1e-9)
        left = seconds / max(done, 1) * (state.max_steps - state.global_step)
        loss, speed = float(logs["loss"]), self.tokens / seconds
        words = "step %d of %d, loss %.4f, %.0f tokens/s, %.0f s left"
        log.info(words, state.global_step, state.max_steps, loss, speed, left)
