"""babelgrid: which languages must be labelled so that a fine-tuned language model works in all of them."""

from importlib import import_module
from pathlib import Path
from typing import Any


def load(folder: str | Path) -> Any:
    """Open an experiment's results in a notebook: `babelgrid.load("results/lab")` is a `babelgrid.results.Results`.

    Its frames: posts, predictions, cells, scores, exposure, comparisons, and any table by `table(name)`; each is read
    when it is first asked for. Raises `UserError` where there is no such folder.
    """
    # By name: every module of babelgrid imports this one, and none of them is to depend on what a notebook needs.
    return import_module("babelgrid.results").open_results(folder)
