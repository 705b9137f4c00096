"""Draw how time and memory grow with the number of cells."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from babelgrid.figures.style import TWO_COLUMNS, house_style

WORK = {"plan": "plan (snakemake -n)", "finished": "finished grid (snakemake -n)", "score": "score_cells"}
MEASURES = {"cpu_s": "CPU seconds", "wall_s": "Wall seconds", "peak_mb": "Peak memory, MiB"}


def draw_growth(sizes: Sequence[dict[str, Any]], out_stem: Path) -> None:
    """Draw each measure (median and range) against the number of prediction files, as out_stem.svg and .png."""
    files = [size["prediction_files"] for size in sizes]
    with house_style():
        figure, axes = plt.subplots(1, len(MEASURES), figsize=(TWO_COLUMNS, 2.4), layout="constrained")
        for ax, (measure, title) in zip(axes, MEASURES.items(), strict=True):
            for work, name in WORK.items():
                values = [size["work"][work][measure] for size in sizes]
                [line] = ax.plot(files, [value["median"] for value in values], marker="o", label=name)
                low, high = ([value[end] for value in values] for end in ("min", "max"))
                ax.fill_between(files, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
            ax.set(title=title, xlim=(0, None), ylim=(0, None))
            ax.xaxis.set_major_formatter("{x:,.0f}")
            ax.grid(axis="y")
        axes[0].legend(loc="upper left")
        figure.supxlabel(
            "Prediction files (a mixture, a seed and a test language each); bands: range over repeats", size=7
        )
        for kind, metadata in {"svg": {"Date": None}, "png": {"Software": None}}.items():
            figure.savefig(f"{out_stem}.{kind}", metadata=metadata)
        plt.close(figure)
