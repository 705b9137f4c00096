"""Measure the coverage of intervals and the false positives and power of tests: python -m benchmarks.intervals.run."""

from typing import Any

from babelgrid.config.analysis import Score
from benchmarks.intervals.simulate import Cell, coverage, rejections
from benchmarks.measure import write_result

SIMULATIONS = 1000
RESAMPLES = 500
CELLS = (
    *(Cell(posts) for posts in (25, 50, 100, 1000)),
    *(Cell(300, seeds, spread=0.05) for seeds in (2, 3, 5, 10)),
)


def main() -> None:
    """Measure, print, and write the record after each step, so that an interrupted run keeps its results."""
    record: dict[str, Any] = {"simulations": SIMULATIONS, "resamples": RESAMPLES, "coverage": [], "rejections": []}
    for cell in CELLS:
        covered = coverage(cell, "macro_f1", SIMULATIONS, RESAMPLES, seed=1)
        record["coverage"].append({**cell._asdict(), "macro_f1": covered})
        print(record["coverage"][-1], write_result("intervals", record), flush=True)
    for posts in (50, 100, 300):
        for gain in (0.0, 0.1):
            found = rejections(posts, gain, Score(bootstrap=RESAMPLES), SIMULATIONS, seed=1)
            record["rejections"].append({"posts": posts, "gain": gain, **found})
            print(record["rejections"][-1], write_result("intervals", record), flush=True)


if __name__ == "__main__":
    main()
