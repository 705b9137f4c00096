"""Measure how planning, checking a finished grid and scoring scale with cells: python -m benchmarks.scale.run.

Writes benchmarks/results/scale.json and the figure scale.{svg,png}. Loads no model and uses no GPU.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from babelgrid.config.load import read_experiment
from babelgrid.grid import build_grid
from benchmarks.measure import Measured, run_measured, summary, write_result
from benchmarks.scale.figure import draw_growth
from benchmarks.scale.grid import CONFIG, EXPERIMENT, ROOT, make_experiment
from benchmarks.scale.predictions import write_grid

MIXTURES = (16, 31, 92)
"""1,040, 2,015 and 5,980 prediction files, which are 2,080, 4,030 and 11,960 cells under two views."""
SNAKEMAKE = [sys.executable, "-m", "snakemake"]
ON_GRID = ["--cores", "2", "--configfile", CONFIG]
NOTHING = "Nothing to be done"


def main() -> None:
    """Measure every size and write the record after each, so that an interrupted run keeps its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mixtures", type=int, nargs="+", default=MIXTURES)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    sizes: list[dict[str, Any]] = []
    for mixtures in arguments.mixtures:
        with tempfile.TemporaryDirectory(prefix="babelgrid-scale-") as parent:
            sizes.append(measure_size(Path(parent) / "grid", mixtures, arguments.repeats))
        path = write_result("scale", {"repeats": arguments.repeats, "sizes": sizes})
        print(f"{sizes[-1]['prediction_files']} prediction files measured; see {path}", flush=True)
    draw_growth(sizes, path.with_suffix(""))


def measure_size(folder: Path, mixtures: int, repeats: int) -> dict[str, Any]:
    """Measure a grid with a given number of mixtures: parse, plan, finish, check and score it."""
    files = make_experiment(folder, mixtures)
    grid = build_grid(read_experiment(folder / CONFIG))
    views = len(read_experiment(folder / CONFIG).effective_views)
    work: dict[str, dict[str, Any]] = {}

    def measure(name: str, command: Sequence[str], check: Callable[[str], bool]) -> None:
        runs = [_run(command, folder) for _ in range(repeats)]
        if not all(check(run.output) for run in runs):
            raise RuntimeError(f"{name}: unexpected output:\n{runs[0].output[-2000:]}")
        work[name] = _record(runs)

    measure("parse", _module("parse", CONFIG), lambda output: True)
    work["parse_alone"] = _parse_alone(folder, repeats)
    measure("plan", [*SNAKEMAKE, "-n", *ON_GRID], lambda output: "predict" in output and NOTHING not in output)
    write_grid(folder / "results" / EXPERIMENT, grid.rows)
    _run(_module("finish", *ON_GRID), folder)
    measure("finished", [*SNAKEMAKE, "-n", *ON_GRID], lambda output: NOTHING in output)
    measure("score", _module("score", CONFIG, f"results/{EXPERIMENT}"), lambda output: True)
    return {"mixtures": mixtures, "prediction_files": files, "cells_by_view": files * views, "work": work}


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.scale.{name}", *arguments]


def _run(command: Sequence[str], folder: Path) -> Measured:
    search_path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    return run_measured(command, folder=folder, environment={"PYTHONPATH": search_path, "OMP_NUM_THREADS": "1"})


def _parse_alone(folder: Path, repeats: int) -> dict[str, Any]:
    """Measure parsing inside its process, without Python's start-up and Snakemake's imports."""
    printed = [_run(_module("parse", CONFIG), folder).output.split()[-2:] for _ in range(repeats)]
    wall, cpu = ([float(pair[column]) for pair in printed] for column in (0, 1))
    return {"wall_s": {**summary(wall), "all": wall}, "cpu_s": {**summary(cpu), "all": cpu}}


def _record(runs: Sequence[Measured]) -> dict[str, Any]:
    columns = {name: [getattr(run, name) for run in runs] for name in ("wall_s", "cpu_s", "peak_mb")}
    return {name: {**summary(values), "all": values} for name, values in columns.items()}


if __name__ == "__main__":
    main()
