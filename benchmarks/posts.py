"""Measure time and memory of preparing posts: reading, cleaning, dropping copies and splitting.

Run `python -m benchmarks.posts --rows 100000 200000 400000`. Posts are 20 random words of a vocabulary of 5,000, in two
languages. Each size runs in its own process, so that its peak memory is its own.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from babelgrid.config.posts import Duplicates, Posts
from babelgrid.config.prompt import Label
from babelgrid.posts.prepare import prepare_posts
from benchmarks.measure import write_result

LABELS = {"pro": Label(answer=" pro"), "anti": Label(answer=" anti")}


def main() -> None:
    """Measure every size, print a line for each, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 200_000, 400_000])
    parser.add_argument("--near", type=float, help="near-duplicate threshold; by default only exact copies are dropped")
    parser.add_argument("--one", action="store_true", help="measure in this process and print JSON")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.rows[0], arguments.near)))
        return
    records = []
    for rows in arguments.rows:
        near = [] if arguments.near is None else ["--near", str(arguments.near)]
        command = [sys.executable, "-m", "benchmarks.posts", "--one", "--rows", str(rows), *near]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        records.append(json.loads(result.stdout))
        print(records[-1], flush=True)
    print(write_result("posts" if arguments.near is None else "posts_near", {"sizes": records}))


def measure(rows: int, near: float | None) -> dict[str, float | None]:
    """Return rows, CPU-seconds, and the peak memory in MB before and after."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "posts.csv")
        write_posts(path, rows)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        start = time.process_time()
        settings = Posts(files=[str(path)], duplicates=Duplicates(near=near))
        prepare_posts(settings, LABELS, {}, 1, Path(folder, "posts.parquet"), Path(folder, "dropped.csv"))
        seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"rows": rows, "near": near, "cpu_seconds": round(seconds, 1), "start_mb": before, "peak_mb": peak}


def write_posts(path: Path, rows: int) -> None:
    """Write a CSV of random posts."""
    generator = np.random.default_rng(1)
    words = np.array([f"w{number:04}" for number in range(5000)])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["language", "text", "label"])
        for number in range(rows):
            text = " ".join(generator.choice(words, 20))
            writer.writerow([("en", "hu")[number % 2], text, ("pro", "anti")[number % 3 == 0]])


if __name__ == "__main__":
    main()
