"""Show the progress of a grid: which cells are done, running, failed or missing. Only reads files."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Literal

from babelgrid.mixture import split_row
from babelgrid.results_layout import TRAINED, ResultsLayout
from babelgrid.runtime.job import FAILED, FINISHED, is_running

State = Literal["done", "running", "failed", "missing"]
MARKS: dict[State, str] = {"done": "#", "running": ">", "failed": "!", "missing": "."}

_MESSAGE = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """A job of the grid, described by its files."""

    name: str
    outputs: tuple[Path, ...]
    log: Path

    @cached_property
    def state(self) -> State:
        """State of the job: done if its outputs exist, failed if its log is unlocked and does not end with success.

        Cached, so that the job's cells, its row and the time left all show the same moment.
        """
        if all(path.is_file() for path in self.outputs):
            return "done"
        if not self.log.is_file():
            return "missing"
        if is_running(self.log):
            return "running"
        # The outputs of a successful job were deleted; it will run again.
        return "missing" if last_line(self.log) == FINISHED else "failed"


@dataclass(frozen=True)
class Row:
    """A row (mixture, seed): its training (or merging), unless it is the untuned base, and its scoring jobs."""

    mixture: str
    seed: int
    finetune: Job | None
    predict: Mapping[str, Job]
    """Test language -> the job of its cell."""

    def state_of(self, language: str) -> State:
        """Return the state of a cell, or the state of its training if its adapter is not done."""
        job = self.predict[language]
        if any(path.stem == language and path.is_file() for path in job.outputs):
            return "done"
        if job.state != "missing" or self.finetune is None or self.finetune.state == "done":
            return job.state
        return self.finetune.state


def read_rows(
    rows: Sequence[tuple[str, int]],
    untrained: Sequence[str],
    languages: Sequence[str],
    results: Path,
    per_cell: bool,
    merged: Sequence[str] = (),
) -> list[Row]:
    """Return the rows of a grid under `results`.

    untrained, merged: mixtures without an adapter, and those whose adapter is merged from others. per_cell: whether
    each cell is scored by its own job.
    """
    files = ResultsLayout(str(results))
    found = []
    for mixture, seed in rows:
        row = f"{mixture}/seed{seed}"
        cells = {name: files.predictions(mixture, seed, name) for name in languages}
        system, learnt_from = split_row(mixture)
        if system in TRAINED:
            train = _job(files, f"train_{system}/{row}", [files.rival(mixture, seed, TRAINED[system])])
            score = _job(files, f"predict_{system}/{row}", list(cells.values()))
            found.append(Row(mixture, seed, train, dict.fromkeys(languages, score)))
            continue
        made_by = "merge_adapters" if mixture in merged else "finetune"
        # Its adapter is that of the mixture.
        adapted = learnt_from if system == "translate_test" else mixture
        finetune = _job(files, f"{made_by}/{adapted}/seed{seed}", [files.adapter(adapted, seed)])
        if per_cell:
            jobs = {name: _job(files, f"predict/{row}/{name}", [cell]) for name, cell in cells.items()}
        else:
            jobs = dict.fromkeys(languages, _job(files, f"predict/{row}", list(cells.values())))
        found.append(Row(mixture, seed, None if mixture in untrained else finetune, jobs))
    return found


def _job(files: ResultsLayout, name: str, outputs: Sequence[str]) -> Job:
    return Job(name.replace("/", " ", 1), tuple(map(Path, outputs)), Path(files.log(name)))


def describe_status(rows: Sequence[Row], languages: Sequence[str], benchmarks: Path) -> str:
    """Return the matrix of cells, their counts, the running jobs with their last log line, failures, and time left."""
    states = {(row.mixture, row.seed): {name: row.state_of(name) for name in languages} for row in rows}
    counts = Counter(state for own in states.values() for state in own.values())
    jobs = list(_jobs(rows))
    job_states = {job.name: job.state for job in jobs}
    parts = [
        "\n".join(_matrix(states, languages)),
        f"cells: {', '.join(f'{counts[state]} {state} ({mark})' for state, mark in MARKS.items())}",
        *_lines("running", [f"{job.name}: {last_line(job.log)}" for job in jobs if job_states[job.name] == "running"]),
        *_lines(
            "failed (log and reason)",
            [f"{job.name}: {job.log} ({_why(job.log)})" for job in jobs if job_states[job.name] == "failed"],
        ),
        _time_left(jobs, job_states, benchmarks),
    ]
    return "\n\n".join(parts)


def last_line(path: Path) -> str:
    """Return the last message of a log without its date, or an empty string."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 4096))
            messages = _MESSAGE.findall(stream.read().decode("utf-8", errors="replace"))
    except OSError:  # the job is just starting again with a new log
        return ""
    return messages[-1] if messages else ""


def _why(log: Path) -> str:
    """Return the reason that a failed job logged; a killed job could not log one."""
    words = last_line(log)
    if words.startswith(FAILED):
        return words
    return "it was killed and logged no reason: perhaps memory or time ran out, or the machine went down"


def _jobs(rows: Sequence[Row]) -> Iterator[Job]:
    """Yield each job once: rows may share the job that trains their adapter."""
    found = [job for row in rows for job in (row.finetune, *row.predict.values()) if job]
    yield from {job.name: job for job in found}.values()


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
    """Return the jobs left of each kind and the time left, from the mean time of finished jobs and the running jobs."""
    words = []
    total = 0.0
    rivals = [f"{step}_{system}" for system in TRAINED for step in ("train", "predict")]
    for kind in ("finetune", "predict", *rivals):
        left = [job for job in jobs if job.name.startswith(f"{kind} ") and states[job.name] != "done"]
        if not left:
            continue
        seconds = measured_seconds(benchmarks / kind)
        if not seconds:
            return f"left: at least {len(left)} {kind} jobs; no job of this kind is done, so the time is unknown"
        total += len(left) * fmean(seconds)
        words.append(f"{len(left)} {kind} jobs at {fmean(seconds):.0f} s each")
    if not words:
        return "left: nothing to train and nothing to score"
    at_once = max(1, sum(state == "running" for state in states.values()))
    return f"left: {', '.join(words)}: {total / at_once / 60:.0f} minutes with {at_once} running at once, as now"


def measured_seconds(place: Path) -> list[float]:
    """Return the wall-clock seconds of jobs from a Snakemake benchmark file, or from a folder of benchmark files."""
    found = []
    for path in filter(Path.is_file, [place, *sorted(place.rglob("*.tsv"))]):
        with path.open(encoding="utf-8") as stream:
            found += [float(line["s"]) for line in csv.DictReader(stream, delimiter="\t") if _is_number(line.get("s"))]
    return found


def _is_number(text: str | None) -> bool:
    """Return whether a benchmark field is a number: it may be truncated (full disk) or a dash (short job)."""
    return text is not None and re.fullmatch(r"\d+(\.\d*)?", text) is not None
