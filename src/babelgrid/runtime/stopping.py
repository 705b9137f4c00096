"""The signals that ask a job to stop, and what a job does about them."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
"""Ctrl-C, the end of a SLURM job or of the machine, a terminal that is closed, and a warning before the time limit."""
SECONDS_OF_ONE_CTRL_C = 1.0
"""One Ctrl-C may arrive more than once: from the terminal, and from a program in between that passes it on."""


@contextmanager
def stopping(first: Callable[[str], None]) -> Iterator[None]:
    """Call `first` with the name of the first stopping signal that arrives within the block; a later Ctrl-C interrupts.

    Further signals of other kinds change nothing, since whoever sent them has been heard. A signal that this process
    was started to ignore (`nohup`, a background job of a script) stays ignored. To be entered in the main thread.
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
    """End what runs now, as Ctrl-C does, so that temporary files are removed on the way out. name: of the signal."""
    raise KeyboardInterrupt(name)
