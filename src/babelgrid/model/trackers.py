"""Prepare experiment trackers, which receive loss and learning rate but never text."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from babelgrid.errors import UserError


def prepare_trackers(names: Sequence[str], folder: Path) -> None:
    """Check that the trackers are installed, and direct their files to `folder`, which a rerun does not delete.

    Raises `UserError` for a tracker that is not installed.
    """
    for name in names:
        if find_spec(name) is None:
            raise UserError(
                f"finetune.report_to: {name} is not installed. Run `pip install {name}`, or remove it from the list"
            )
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder)
    os.environ["WANDB_DIR"] = str(folder)
    os.environ["TRACKIO_DIR"] = str(folder)
