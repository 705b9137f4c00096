"""Decide when a training job saves its state: at intervals of steps or minutes, and on a stop signal."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from babelgrid.config.finetune import Finetune
from babelgrid.runtime.stopping import stopping

log = logging.getLogger(__name__)


class SaveState(TrainerCallback):
    """Request a checkpoint when one is due; on a signal, request a checkpoint and the end of training."""

    def __init__(self, settings: Finetune) -> None:
        """Read the intervals from the settings."""
        self._steps = settings.checkpoint_steps
        self._seconds = None if settings.checkpoint_minutes is None else 60 * settings.checkpoint_minutes
        self.signal: str | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record a stop signal instead of exiting immediately; a second Ctrl-C exits immediately."""

        def note(name: str) -> None:
            self.signal = name

        with stopping(note):
            yield

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the timer, which is monotonic so that changes of the system time do not affect it."""
        self._last = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Request a checkpoint if one is due or a signal was received."""
        if self.signal:
            control.should_save = control.should_training_stop = True
            return
        is_step = self._steps is not None and state.global_step % self._steps == 0
        is_time = self._seconds is not None and time.monotonic() - self._last >= self._seconds
        if is_step or is_time:
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Restart the timer."""
        self._last = time.monotonic()
