"""Estimate a grid before it runs: jobs, hours, wall time, disk and dollars, from token counts."""

import heapq
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from babelgrid.display.text import duration
from babelgrid.errors import UserError
from babelgrid.mixture import Mixture
from babelgrid.operations.shipped import read_shipped
from babelgrid.operations.status import measured_seconds
from babelgrid.posts.sample import count_posts
from babelgrid.runtime.files import read_json, read_parquet

GRID_RULES = ("finetune", "predict")
MIN_JOBS_TO_CALIBRATE = 3
BYTES_PER_PREDICTION = 120
"""Bytes per post in predictions/*.parquet: id, two labels and a number per label, compressed (measured on the lab)."""


@dataclass(frozen=True)
class Speed:
    """Speed of a device, as found by `probe_speed`."""

    device: str
    source: str
    start_seconds: float
    trained: float
    """Tokens trained per second."""
    scored: float
    """Tokens scored per second."""
    adapter_bytes: int


@dataclass(frozen=True)
class Row:
    """Seconds of a row (mixture, seed): of its training, unless it is the untuned base, and of each scoring job."""

    name: str
    """Name as in the row's file names: `en/seed0`."""
    finetune: float | None
    predict: Mapping[str, float]
    """Name of the job -> seconds; one job for the row, or one for each cell."""
    adapters: int = 0
    """Size of its adapter, in adapters of a trained row: a merged one has the ranks of its parents together."""

    @property
    def seconds(self) -> float:
        """Seconds of all its jobs, run one after the other."""
        return (self.finetune or 0) + sum(self.predict.values())


@dataclass(frozen=True)
class Workers:
    """Number of jobs that run at once, and the cost of an hour of the machine (of one GPU, if there are GPUs)."""

    gpus: int | None
    """Number of GPUs; None: the grid's jobs run on the cores."""
    jobs_per_gpu: int
    cores: int
    dollars_per_hour: float | None

    @property
    def at_once(self) -> int:
        """Number of the grid's jobs that run at once."""
        return self.cores if self.gpus is None else self.gpus * self.jobs_per_gpu


def print_estimate(
    posts_path: Path,
    tokens_path: Path,
    base_path: Path,
    speed: Speed,
    benchmarks: Path,
    *,
    rows: Sequence[tuple[Mixture, int]],
    budget: int | None,
    epochs: float,
    test_languages: Sequence[str],
    per_cell: bool,
    jobs: Mapping[str, int],
    workers: Workers,
) -> None:
    """Print the estimate for the whole grid, from the probe alone and calibrated with the jobs that are done.

    posts_path, tokens_path: all posts, and their tokens. benchmarks: folder with Snakemake's benchmarks of jobs.
    jobs: rule -> number of jobs in the whole grid.
    """
    posts = read_parquet(posts_path, ["id", "language", "split"])
    tokens = read_parquet(tokens_path, ["id", "language", "prompt_tokens"])
    counted = posts.merge(tokens, on=["id", "language"], validate="one_to_one")
    estimated = estimate_rows(
        counted, speed, rows=rows, budget=budget, epochs=epochs, test_languages=test_languages, per_cell=per_cell
    )
    table = tabulate(estimated, jobs, benchmarks)
    test_posts = int(((counted["split"] == "test") & counted["language"].isin(test_languages)).sum())
    print(describe_estimate(estimated, table, speed, workers, base_path, test_posts), flush=True)


def estimate_rows(
    counted: pd.DataFrame,
    speed: Speed,
    *,
    rows: Sequence[tuple[Mixture, int]],
    budget: int | None,
    epochs: float,
    test_languages: Sequence[str],
    per_cell: bool,
) -> list[Row]:
    """Return the seconds of every row's jobs; counted: posts with language, split and prompt_tokens.

    Every train post is assumed to have the mean length of its language.
    """
    train = counted[counted["split"] == "train"].groupby("language")["prompt_tokens"].agg(["size", "mean"])
    test = counted[counted["split"] == "test"].groupby("language")["prompt_tokens"].sum()
    available = {str(language): int(size) for language, size in train["size"].items()}
    scoring = {language: float(test.get(language, 0)) / speed.scored for language in test_languages}
    found = []
    for mixture, seed in rows:
        name = f"{mixture.name}/seed{seed}"
        taken = count_posts(mixture, available, budget) if mixture.is_trained else {}
        tokens = epochs * sum(count * float(train["mean"][language]) for language, count in taken.items())
        finetune = speed.start_seconds + tokens / speed.trained if taken else None
        jobs = {f"{name}/{cell}": own for cell, own in scoring.items()} if per_cell else {name: sum(scoring.values())}
        adapters = len(mixture.merge.parents) if mixture.merge else int(mixture.has_adapter)
        found.append(Row(name, finetune, {job: speed.start_seconds + own for job, own in jobs.items()}, adapters))
    return found


def count_jobs(command: Sequence[str]) -> dict[str, int]:
    """Return the number of jobs that Snakemake plans for each rule, from the table that a dry run prints."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    printed = result.stdout + result.stderr
    if result.returncode or "Job stats:" not in printed:
        raise UserError(f"estimate: Snakemake cannot plan the grid ({printed.strip()[-500:]})")
    table = printed.rsplit("Job stats:", 1)[1]
    jobs = {name: int(count) for name, count in re.findall(r"^(\w+)\s+(\d+)\s*$", table, flags=re.MULTILINE)}
    jobs.pop("total", None)
    return jobs


def tabulate(rows: Sequence[Row], jobs: Mapping[str, int], benchmarks: Path) -> pd.DataFrame:
    """Return one line per rule: jobs, estimated, calibrated, done, estimated_of_done and measured; times in seconds.

    calibrated: the estimate, scaled by measured over estimated time of finished jobs if three or more are done.
    estimated_of_done, measured: estimated and measured seconds of the finished jobs. Rules outside the grid are taken
    from seconds.csv, which was measured on the lab.
    """
    shipped = read_shipped("seconds.csv", key="rule", value="seconds")
    by_job: dict[str, dict[str, float]] = {
        "finetune": {row.name: row.finetune for row in rows if row.finetune is not None},
        "predict": {name: seconds for row in rows for name, seconds in row.predict.items()},
    }
    lines: list[dict[str, Any]] = []
    for rule, own in by_job.items():
        took = {name: seconds[0] for name in own if (seconds := measured_seconds(benchmarks / rule / f"{name}.tsv"))}
        lines.append(_line_of(rule, len(own), sum(own.values()), sum(own[name] for name in took), list(took.values())))
    for rule in jobs:
        if rule in shipped:  # other rules belong to the grid, or are targets without work
            each = shipped[rule]
            measured = measured_seconds(benchmarks / f"{rule}.tsv")
            lines.append(_line_of(rule, jobs[rule], jobs[rule] * each, len(measured) * each, measured))
    return pd.DataFrame(lines)


def _line_of(rule: str, jobs: int, estimated: float, estimated_of_done: float, took: Sequence[float]) -> dict[str, Any]:
    is_known = len(took) >= max(1, min(MIN_JOBS_TO_CALIBRATE, jobs))
    # In this form, a rule whose jobs are all done takes exactly the measured time.
    rest = estimated - estimated_of_done
    calibrated = sum(took) + rest * sum(took) / estimated_of_done if is_known else estimated
    line = {"rule": rule, "jobs": jobs, "estimated": estimated, "calibrated": calibrated}
    return line | {"done": len(took), "estimated_of_done": estimated_of_done, "measured": sum(took)}


def wall_seconds(rows: Sequence[Row], table: pd.DataFrame, workers: Workers) -> float:
    """Return the time from start to end: the rows, longest first, on the workers; all other rules on the cores.

    Calibration scales all rows by the same factor. The delay between consecutive jobs is not counted.
    """
    grid = table[table["rule"].isin(GRID_RULES)]
    stretch = float(grid["calibrated"].sum() / grid["estimated"].sum())
    lengths = sorted((stretch * row.seconds for row in rows), reverse=True)
    ends = [0.0] * workers.at_once
    for length in lengths:
        heapq.heapreplace(ends, ends[0] + length)
    others = float(table.loc[~table["rule"].isin(GRID_RULES), "calibrated"].sum())
    return max(ends) + others / workers.cores


def describe_estimate(
    rows: Sequence[Row], table: pd.DataFrame, speed: Speed, workers: Workers, base: Path, test_posts: int
) -> str:
    """Return the text that `snakemake estimate` prints."""
    grid = table[table["rule"].isin(GRID_RULES)]
    others = table[~table["rule"].isin(GRID_RULES)]
    where = f"{workers.gpus} GPU(s)" if workers.gpus else f"{workers.cores} core(s), without a GPU"
    hours = float(grid["calibrated"].sum()) / 3600 / (workers.jobs_per_gpu if workers.gpus else 1)
    lines = [
        f"on {speed.device} ({speed.source}): {speed.start_seconds:.0f} s to start a job; per second, "
        f"{speed.trained:,.0f} tokens trained and {speed.scored:,.0f} scored",
        "",
        f"{'rule':<18}{'jobs':>7}{'estimated':>14}{'done':>9}{'estimated':>14}{'measured':>14}{'calibrated':>14}",
        *(_line(rule, table[table["rule"] == rule]) for rule in GRID_RULES),
        _line("everything else", others),
        "",
        f"{'GPU' if workers.gpus else 'machine'} hours for the grid: {hours:.2f}",
        f"wall time on {where}, {workers.at_once} job(s) at once: {duration(wall_seconds(rows, table, workers))}",
        f"disk: {_disk(rows, speed, base, test_posts) / 1e9:.2f} GB (base, adapters, predictions)",
    ]
    if workers.dollars_per_hour is not None:
        lines.append(f"dollars at {workers.dollars_per_hour:g} an hour: {hours * workers.dollars_per_hour:.2f}")
    return "\n".join(lines)


def read_speed(path: Path) -> Speed:
    """Read the file that `probe_speed` wrote."""
    return Speed(**read_json(path))


def _disk(rows: Sequence[Row], speed: Speed, base: Path, test_posts: int) -> float:
    """Return the bytes needed; an adapter's checkpoint (weights and two moments) exists only during training."""
    files = Path(read_json(base)["folder"]).glob("*")
    adapters = sum(row.adapters for row in rows) * speed.adapter_bytes
    return sum(path.stat().st_size for path in files) + adapters + len(rows) * test_posts * BYTES_PER_PREDICTION


def _line(name: str, rules: pd.DataFrame) -> str:
    jobs, done = int(rules["jobs"].sum()), int(rules["done"].sum())
    columns = ["estimated", "estimated_of_done", "measured", "calibrated"]
    estimated, of_done, took, in_all = (duration(float(rules[column].sum())) for column in columns)
    known = [of_done, took] if done else ["-", "-"]
    return f"{name:<18}{jobs:>7}{estimated:>14}{done:>9}{known[0]:>14}{known[1]:>14}{in_all:>14}"
