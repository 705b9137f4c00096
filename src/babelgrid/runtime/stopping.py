"""Handle the signals that ask a job to stop."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
"""Ctrl-C, the end of a SLURM job or a shutdown, a closed terminal, and the warning before the time limit."""
SECONDS_OF_ONE_CTRL_C = 1.0
"""One Ctrl-C may arrive more than once: from the terminal, and from a parent program that passes it on."""


@contextmanager
def stopping(first: Callable[[str], None]) -> Iterator[None]:
    """Call `first` with the name of the first stopping signal that arrives within the block; a later Ctrl-C interrupts.

    Further signals of other kinds are ignored, because the job is already stopping. A signal that was ignored when this
    process started (`nohup`, a background job of a script) stays ignored. Enter this in the main thread.
    """
    heard: float | None = None

    def hear(number: int, _: FrameType | None) -> None:
        nonlocal heard
        if heard is None:
            heard = time.monotonic()
            first(signal.Signals(number).name)
        elif number == signal.SIGINT and time.monotonic() - heard > SECONDS_OF_ONE_CTRL_C:
            interrupt("SIGINT")

    heeded = [number for number in STOPPING_SIGNALS if signal.getsignal(number) not in {signal.SIG_IGN, None}]
    before = {number: signal.signal(number, hear) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt(name: str) -> None:
    """Interrupt the running code as Ctrl-C does, so that temporary files are cleaned up. name: name of the signal."""
    raise KeyboardInterrupt(name)
