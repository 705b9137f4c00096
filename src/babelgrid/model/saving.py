"""When a training job saves its state: every so many steps or minutes, and when it is told to stop."""

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
    """Ask the trainer for a checkpoint when it is time, and for an end too when a signal has come."""

    def __init__(self, settings: Finetune) -> None:
        """Take how often from the settings."""
        self._steps = settings.checkpoint_steps
        self._seconds = None if settings.checkpoint_minutes is None else 60 * settings.checkpoint_minutes
        self.signal: str | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take note of a stopping signal in place of ending at once; a second Ctrl-C ends at once."""

        def note(name: str) -> None:
            self.signal = name

        with stopping(note):
            yield

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock: a monotonic one, so that a machine whose time is set back saves no less often."""
        self._last = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Look whether it is time."""
        if self.signal:
            control.should_save = control.should_training_stop = True
            return
        is_step = self._steps is not None and state.global_step % self._steps == 0
        is_time = self._seconds is not None and time.monotonic() - self._last >= self._seconds
        if is_step or is_time:
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Start the clock again."""
        self._last = time.monotonic()
