"""How far a grid is: which cells are done, running, failed or missing. Reads only."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Literal

from babelgrid.runtime.job import FAILED, FINISHED, is_running

State = Literal["done", "running", "failed", "missing"]
MARKS: dict[State, str] = {"done": "#", "running": ">", "failed": "!", "missing": "."}

_MESSAGE = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """A job of the grid, by the files that tell of it."""

    name: str
    outputs: tuple[Path, ...]
    log: Path

    @cached_property
    def state(self) -> State:
        """A job is done when its files are there; an unlocked log that does not end well is that of a failed one.

        Looked at once: the cells of a job, its row and the time left are then of the same moment.
        """
        if all(path.is_file() for path in self.outputs):
            return "done"
        if not self.log.is_file():
            return "missing"
        if is_running(self.log):
            return "running"
        # The files of a job that ended well were deleted by someone: it will simply run again.
        return "missing" if last_line(self.log) == FINISHED else "failed"


@dataclass(frozen=True)
class Row:
    """A (mixture, seed): its training, unless it is the untuned base, and the job that scores each test language."""

    mixture: str
    seed: int
    finetune: Job | None
    predict: Mapping[str, Job]
    """Test language -> the job of its cell."""

    def state_of(self, language: str) -> State:
        """Return the state of a cell: what stands in its way, if its adapter is not done."""
        job = self.predict[language]
        if any(path.stem == language and path.is_file() for path in job.outputs):
            return "done"
        if job.state != "missing" or self.finetune is None or self.finetune.state == "done":
            return job.state
        return self.finetune.state


def read_rows(
    rows: Sequence[tuple[str, int]], untrained: Sequence[str], languages: Sequence[str], results: Path, per_cell: bool
) -> list[Row]:
    """Return the rows of a grid under `results`; per_cell: whether each cell is scored by a job of its own."""
    found = []
    for mixture, seed in rows:
        place = Path(mixture, f"seed{seed}")
        weights = results / "adapters" / place / "adapter_model.safetensors"
        finetune = Job(f"finetune {place}", (weights,), results / "logs/finetune" / f"{place}.log")
        files = {name: results / "predictions" / place / f"{name}.parquet" for name in languages}
        if per_cell:
            logs = {name: results / "logs/predict" / place / f"{name}.log" for name in languages}
            jobs = {name: Job(f"predict {place}/{name}", (files[name],), logs[name]) for name in languages}
        else:
            job = Job(f"predict {place}", tuple(files.values()), results / "logs/predict" / f"{place}.log")
            jobs = dict.fromkeys(languages, job)
        found.append(Row(mixture, seed, None if mixture in untrained else finetune, jobs))
    return found


def describe_status(rows: Sequence[Row], languages: Sequence[str], benchmarks: Path) -> str:
    """Return the matrix of cells, their numbers, the jobs at work with their last words, failures, and time left."""
    states = {(row.mixture, row.seed): {name: row.state_of(name) for name in languages} for row in rows}
    counts = Counter(state for own in states.values() for state in own.values())
    jobs = list(_jobs(rows))
    job_states = {job.name: job.state for job in jobs}
    parts = [
        "\n".join(_matrix(states, languages)),
        f"cells: {', '.join(f'{counts[state]} {state} ({mark})' for state, mark in MARKS.items())}",
        *_lines("running", [f"{job.name}: {last_line(job.log)}" for job in jobs if job_states[job.name] == "running"]),
        *_lines(
            "failed, and where it says why",
            [f"{job.name}: {job.log} ({_why(job.log)})" for job in jobs if job_states[job.name] == "failed"],
        ),
        _time_left(jobs, job_states, benchmarks),
    ]
    return "\n\n".join(parts)


def last_line(path: Path) -> str:
    """Return the last message of a log, without its date; an empty string where there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 4096))
            messages = _MESSAGE.findall(stream.read().decode("utf-8", errors="replace"))
    except OSError:  # the job starts again at this moment, with a new log
        return ""
    return messages[-1] if messages else ""


def _why(log: Path) -> str:
    """Return the reason that a failed job has left; one that was killed could leave none."""
    words = last_line(log)
    if words.startswith(FAILED):
        return words
    return "it was killed and could not say why: perhaps for its memory or its time, or the machine went down"


def _jobs(rows: Sequence[Row]) -> Iterator[Job]:
    for row in rows:
        if row.finetune:
            yield row.finetune
        yield from {job.name: job for job in row.predict.values()}.values()


def _matrix(states: Mapping[tuple[str, int], Mapping[str, State]], languages: Sequence[str]) -> Iterator[str]:
    names = [f"{mixture} seed{seed}" for mixture, seed in states]
    left = max(map(len, names))
    widths = [max(2, len(language)) for language in languages]
    yield " ".join([" " * left, *(name.rjust(width) for name, width in zip(languages, widths, strict=True))])
    for name, own in zip(names, states.values(), strict=True):
        marks = (MARKS[state].rjust(width) for state, width in zip(own.values(), widths, strict=True))
        yield " ".join([name.ljust(left), *marks])


def _lines(title: str, lines: Sequence[str]) -> list[str]:
    return ["\n  ".join([f"{title}:", *lines])] if lines else []


def _time_left(jobs: Sequence[Job], states: Mapping[str, State], benchmarks: Path) -> str:
    """Return jobs left of each kind, at the mean time of those that are done, in so many at once as now run."""
    words = []
    total = 0.0
    for kind in ("finetune", "predict"):
        left = [job for job in jobs if job.name.startswith(f"{kind} ") and states[job.name] != "done"]
        if not left:
            continue
        seconds = measured_seconds(benchmarks / kind)
        if not seconds:
            return f"left: {len(left)} {kind} jobs or more; no job of this kind is done, so nobody knows how long"
        total += len(left) * fmean(seconds)
        words.append(f"{len(left)} {kind} jobs of {fmean(seconds):.0f} s each")
    if not words:
        return "left: nothing to train and nothing to score"
    at_once = max(1, sum(state == "running" for state in states.values()))
    return f"left: {', '.join(words)}: {total / at_once / 60:.0f} minutes with {at_once} at once, as now"


def measured_seconds(place: Path) -> list[float]:
    """Return the wall-clock seconds that Snakemake measured of jobs: its file of one, or a folder of such files."""
    found = []
    for path in filter(Path.is_file, [place, *sorted(place.rglob("*.tsv"))]):
        with path.open(encoding="utf-8") as stream:
            found += [float(line["s"]) for line in csv.DictReader(stream, delimiter="\t") if _is_number(line.get("s"))]
    return found


def _is_number(text: str | None) -> bool:
    """Say whether a benchmark holds its seconds: on a full disk it may be cut, and of a short job it may be a dash."""
    return text is not None and re.fullmatch(r"\d+(\.\d*)?", text) is not None
