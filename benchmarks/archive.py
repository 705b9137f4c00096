"""Classify the lab's archive of a million rows with `snakemake classify`, kill jobs midway, and account for every row.

Run `python -m benchmarks.archive` after `make run`. The running job is killed with `kill -9` in the middle of three
shards, and Snakemake is started again. Afterwards, every row must be classified or rejected, the number of rejected
rows must equal the number that the lab broke, and classifying a killed shard again without interruption must give the
same bytes. Writes benchmarks/results/archive.json. Files of an earlier run in results/<experiment> are removed first.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from babelgrid.config.load import read_experiment
from babelgrid.runtime.files import read_json, sha256
from benchmarks.measure import write_result

CONFIGS = ["config/config.yaml", "config/archive.yaml"]


def main() -> None:
    """Run, kill and restart the classification, check the counts, and print rows per second and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", nargs="+", default=CONFIGS)
    parser.add_argument("--kills", type=int, default=3)
    arguments = parser.parse_args()
    experiment = read_experiment(*arguments.configfile)
    if experiment.classify is None or experiment.classify.lab is None:
        parser.error("the config needs classify.lab, because the rows that the lab broke are counted")
    results = Path("results") / experiment.experiment
    rows, groups = experiment.classify.lab.rows, experiment.classify.rows_per_group
    for folder in ("archive", "classified", "checkpoints/.classify_posts", "usage/classify_posts"):
        shutil.rmtree(results / folder, ignore_errors=True)
    start = time.monotonic()
    # Kill in the middle of shards that are spread over the archive.
    moments = [int(rows * (number + 0.6) / (arguments.kills + 1)) for number in range(arguments.kills)]
    kills = classify_with_kills(arguments.configfile, results, moments, groups)
    run(arguments.configfile, "classify")
    seconds = time.monotonic() - start
    record = {"rows": rows, "kills": kills, "seconds": round(seconds, 1), **counted(results), **speed(results)}
    if kills:
        record["same_bytes_undisturbed"] = classify_again(arguments.configfile, results, kills[-1]["shard"])
    write_result("archive", record)
    for name, value in record.items():
        print(f"{name}: {value}")


def start_snakemake(configs: Sequence[str], target: str) -> subprocess.Popen[bytes]:
    """Start Snakemake on two cores, with its output in the output of this program."""
    return subprocess.Popen([sys.executable, "-m", "snakemake", target, "--cores", "2", "--configfile", *configs])


def run(configs: Sequence[str], target: str) -> None:
    """Run a target and wait until it ends."""
    if code := start_snakemake(configs, target).wait():
        raise RuntimeError(f"snakemake {target} exited with {code}")


def classify_with_kills(
    configs: Sequence[str], results: Path, moments: Sequence[int], rows_per_group: int
) -> list[dict[str, Any]]:
    """Classify, and kill the running job in the middle of its shard each time the next number of rows is done.

    moments: numbers of rows in complete groups at which to kill. Snakemake continues with the other shards and fails at
    the end. Returns the shards whose jobs were killed.
    """
    snakemake, kills = start_snakemake(configs, "classify"), []
    while snakemake.poll() is None:
        whole = sum(read_json(path)["read"] for path in (results / "classified/counts").glob("*.json"))
        kept = list((results / "checkpoints/.classify_posts").glob("*/*/*.parquet"))
        for job, shard in jobs_of(snakemake.pid):
            own = sum(path.parts[-3] == shard for path in kept)
            if own and len(kills) < len(moments) and whole + len(kept) * rows_per_group >= moments[len(kills)]:
                job.kill()
                kills.append({"shard": shard, "rows_kept": own * rows_per_group, "rows_in_whole_shards": whole})
        time.sleep(0.2)
    if len(kills) < len(moments) or bool(snakemake.returncode) != bool(kills):
        raise RuntimeError(f"snakemake exited with {snakemake.returncode} after {len(kills)} kills")
    return kills


def jobs_of(snakemake: int) -> Iterator[tuple[psutil.Process, str]]:
    """Yield each classifying process and its shard, identified by the log file that the process has open."""
    for process in psutil.Process(snakemake).children(recursive=True):
        try:
            script, logs = process.cmdline()[-1:], [Path(file.path) for file in process.open_files()]
        except psutil.NoSuchProcess:
            continue
        shards = [log.stem for log in logs if log.parent.name == "classify_posts" and log.suffix == ".log"]
        # The reader process of the job writes to the same log, so check the script too.
        if shards and script and script[0].endswith("classify_posts.py"):
            yield process, shards[0]


def counted(results: Path) -> dict[str, int]:
    """Return the numbers of classified and rejected rows; raise if they differ from what the lab wrote."""
    files = pd.read_csv(results / "classified/files.csv").set_index("file").loc["all"]
    made = [read_json(path) for path in sorted((results / "archive").glob("*.json"))]
    rows, bad = (sum(shard[name] for shard in made) for name in ("rows", "bad"))
    posts = pd.concat(
        pd.read_parquet(path, columns=["id"]) for path in (results / "classified/posts").glob("*.parquet")
    )
    found = {name: int(files[name]) for name in ("read", "classified", "rejected")}
    if found != {"read": rows, "classified": rows - bad, "rejected": bad} or posts["id"].nunique() != rows - bad:
        raise RuntimeError(f"the lab wrote {rows} rows, {bad} of them bad, but {found} were found")
    return found


def speed(results: Path) -> dict[str, float]:
    """Return posts per second once the base is loaded, the share of start-up in a job's time, and peak memory.

    Usage records describe a job's last attempt; for killed jobs, they cover only the work after the kill.
    """
    records = pd.DataFrame([read_json(path) for path in (results / "usage/classify_posts").glob("*.json")])
    work, wall = records["work_seconds"].sum(), records["wall_seconds"].sum()
    return {
        "posts_per_second": round(float(records["posts"].sum() / work), 1),
        "tokens_per_second": round(float(records["tokens"].sum() / work), 1),
        "start_share": round(float(1 - work / wall), 3),
        "peak_memory_mb": float(records["peak_memory_mb"].max()),
    }


def classify_again(configs: Sequence[str], results: Path, shard: str) -> bool:
    """Classify a killed shard again without interruption; raise unless its file has the same bytes."""
    path = results / f"classified/posts/{shard}.parquet"
    killed = sha256(path)
    path.unlink()
    run(configs, str(path))
    if sha256(path) != killed:
        raise RuntimeError(f"{path}: bytes differ from those written after a kill")
    return True


if __name__ == "__main__":
    main()
