"""Build the same grid with `snakemake` and with a plain script of TRL and lm-evaluation-harness, in turn.

    OMP_NUM_THREADS=1 python -m benchmarks.grid.run            a small grid, several repeats
    OMP_NUM_THREADS=1 python -m benchmarks.grid.run --full     the lab's whole grid, once, without the script as it
                                                               comes, which takes an hour

Time is measured from the start of the process to the last table. Both sides start from the posts and the pre-trained
base in results/bench, which are created first and not timed, and end with tables; neither side draws figures. Each side
runs one single-threaded process per core at a time. Unlike the plain script, babelgrid also computes baselines and
intervals in this time. Writes benchmarks/results/grid.json (--full: grid_full.json) and prints a Markdown table.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import accuracy_score, f1_score

from babelgrid.config.experiment import Experiment
from babelgrid.config.load import read_experiment
from babelgrid.grid import build_grid
from babelgrid.runtime.files import read_json, read_parquet
from benchmarks.grid.plan import write_plan
from benchmarks.measure import Measured, run_measured, summary, write_result
from benchmarks.process import span

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "bench"
WORK = ROOT / "results" / "bench_plain_script"
CORES = len(os.sched_getaffinity(0))
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
MADE_BY_GRID = ("adapters", "predictions", "baselines", "tables")
OURS = "babelgrid"
AS_IT_COMES = "plain script as it comes"


def main() -> None:
    """Prepare the inputs, run the sides in turn, print the table and write the record."""
    arguments = _arguments()
    overlay = "full" if arguments.full else "small"
    configs = ["config/config.yaml", f"benchmarks/grid/{overlay}.yaml"]
    experiment = read_experiment(*(ROOT / config for config in configs))
    tables = prepare(configs, experiment)
    sides = line_up(configs, tables, write_plan(experiment, RESULTS, WORK, CORES))
    if arguments.full:
        del sides[AS_IT_COMES]
    scores: dict[str, dict[str, float]] = {}
    rounds: list[dict[str, Measured]] = []
    for _ in range(1 if arguments.full else arguments.repeats):
        costs = {}
        for name, run in sides.items():
            costs[name] = run()
            scores[name] = in_language_scores(name, experiment)
            print(f"{name}: {costs[name].wall_s:.0f} s", file=sys.stderr, flush=True)
        rounds.append(costs)
    rows = [report(name, rounds, scores[name]) for name in sides]
    grid = build_grid(experiment)
    about = {"adapters": len(grid.adapters), "cells": len(grid.cells), "processes_at_a_time": CORES, "tables": tables}
    write_result("grid_full" if arguments.full else "grid", {**about, "repeats": len(rounds), "rows": rows})
    print(f"{about['adapters']} adapters, {about['cells']} cells, {len(rounds)} repeats\n", table(rows), sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--full", action="store_true", help="build the lab's whole grid, once")
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


def prepare(configs: Sequence[str], experiment: Experiment) -> list[str]:
    """Create posts and base, which are not timed; return the final tables of the grid."""
    languages = dict.fromkeys([*experiment.languages.train, *experiment.test_languages])
    posts = [f"results/bench/posts/{language}.parquet" for language in languages]
    run_measured(_snakemake(configs, "posts", "prefetch", *posts), folder=ROOT)
    listed = run_measured(_snakemake(configs, "--summary"), folder=ROOT).output
    files = [line.split("\t")[0] for line in listed.splitlines()]
    return [file for file in files if file.startswith("results/bench/tables/")]


def _snakemake(configs: Sequence[str], *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", str(CORES), *arguments]
    return [*command, "--configfile", *configs]


def line_up(configs: Sequence[str], tables: Sequence[str], plan: Path) -> dict[str, Callable[[], Measured]]:
    """Return the sides by name; each builds the whole grid from scratch and returns the cost."""
    script = [sys.executable, str(ROOT / "benchmarks/grid/plain_script.py"), str(plan)]

    def side(command: Sequence[str], *made: Path) -> Callable[[], Measured]:
        def run() -> Measured:
            for folder in made:
                shutil.rmtree(folder, ignore_errors=True)
            return run_measured(command, folder=ROOT, environment=ONE_THREAD)

        return run

    ours = [RESULTS / folder for folder in MADE_BY_GRID]
    return {
        OURS: side(_snakemake(configs, *tables), *ours),
        AS_IT_COMES: side(script, WORK / "out"),
        "plain script tuned": side([*script, "--tuned"], WORK / "out"),
    }


def in_language_scores(side: str, experiment: Experiment) -> dict[str, float]:
    """Return the mean macro-F1 of the topic view and the mean 4-way accuracy over cells of trained-on languages."""
    plan = read_json(WORK / "plan.json")
    grid = build_grid(experiment)
    scores = []
    for mixture, seed, language in grid.cells:
        if language in grid.mixtures[mixture].all_languages:
            cell = _predictions(side, mixture, seed, language)
            topic = cell.replace(plan["view"])
            f1 = f1_score(topic["gold"], topic["predicted"], average="macro")
            scores.append({"topic_macro_f1": f1, "accuracy": accuracy_score(cell["gold"], cell["predicted"])})
    return {name: float(score) for name, score in pd.DataFrame(scores).mean().items()}


def _predictions(side: str, mixture: str, seed: int, language: str) -> pd.DataFrame:
    if side == OURS:
        return read_parquet(RESULTS / f"predictions/{mixture}/seed{seed}/{language}.parquet", ["gold", "predicted"])
    return pd.read_csv(WORK / f"out/{mixture}_{seed}/{language}.csv")


def report(name: str, rounds: Sequence[Mapping[str, Measured]], scores: Mapping[str, float]) -> dict[str, Any]:
    """Return a side's record: seconds, memory, ratios to babelgrid in the same round, and quality."""
    return {
        "side": name,
        **{unit: summary([getattr(costs[name], unit) for costs in rounds]) for unit in ("wall_s", "cpu_s", "peak_mb")},
        "wall_ratio": summary([costs[name].wall_s / costs[OURS].wall_s for costs in rounds]),
        "cpu_ratio": summary([costs[name].cpu_s / costs[OURS].cpu_s for costs in rounds]),
        "in_language": scores,
    }


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the records as a Markdown table."""
    lines = [
        "| side | wall s | CPU s | peak MB | x ours, wall | x ours, CPU | topic macro-F1 | 4-way accuracy |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [
            row["side"],
            span(row["wall_s"], 0),
            span(row["cpu_s"], 0),
            f"{row['peak_mb']['max']:.0f}",
            span(row["wall_ratio"], 1),
            span(row["cpu_ratio"], 1),
            f"{row['in_language']['topic_macro_f1']:.2f}",
            f"{row['in_language']['accuracy']:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
