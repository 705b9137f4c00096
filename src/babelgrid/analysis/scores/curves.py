"""Collect the learning curves of all adapters in one table."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from babelgrid.analysis.tables import read_table
from babelgrid.runtime.files import write_csv


def collect_curves(curves: Mapping[tuple[str, int], str | Path], out: str | Path) -> None:
    """Write learning_curves.csv: mixture, seed, step, epoch, loss, learning_rate and grad_norm of each logged step.

    curves: (mixture, seed) -> the adapter's training.csv.
    """
    tables = [read_table(path).assign(mixture=mixture, seed=seed) for (mixture, seed), path in curves.items()]
    columns = ["mixture", "seed", "step", "epoch", "loss", "learning_rate", "grad_norm"]
    write_csv(out, pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns))
