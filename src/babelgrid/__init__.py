"""babelgrid: which languages must be labelled so that a fine-tuned language model works in all of them."""

from importlib import import_module
from pathlib import Path
from typing import Any


def load(folder: str | Path) -> Any:
    """Open an experiment's results in a notebook: `babelgrid.load("results/lab")` is a `babelgrid.results.Results`.

    Its frames: posts, predictions, cells, scores, exposure, comparisons, and any table by `table(name)`; each is read
    on first access. Raises `UserError` if the folder does not exist.
    """
    # Imported by name: every babelgrid module imports this package and must not depend on what notebooks need.
    return import_module("babelgrid.results").open_results(folder)
