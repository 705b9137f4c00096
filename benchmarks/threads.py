"""On a CPU: one job with all cores as threads, against as many jobs with one thread each, training a real base.

    python -m benchmarks.threads        needs `make real-bases`; about two minutes, on idle cores

Prints posts trained per second, over all jobs, and writes benchmarks/results/threads.json.
"""

import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from babelgrid.base_files import record_base
from babelgrid.config.base import Base
from babelgrid.config.finetune import Lora
from babelgrid.model.base import choose_device, load_base, name_of
from babelgrid.model.base_types import judge_base
from babelgrid.model.examples import Example
from babelgrid.model.forward import summed_loss
from babelgrid.model.lora import add_adapter
from babelgrid.model.packing import collate
from benchmarks.measure import write_result

FOLDER = "data/bases/gemma-3-270m"
POSTS = 8
STEPS = 8
PREFIX, OWN, SUFFIX = 30, (20, 45), 6
"""Tokens of the instruction, of the shortest and the longest post, and of the words after it: about those of tweets."""


def main() -> None:
    """Measure both ways in turn, twice, and write the record."""
    cores = os.cpu_count() or 1
    rows = [measure(jobs, threads) for _ in range(2) for jobs, threads in ((1, cores), (cores, 1))]
    write_result("threads", {"base": FOLDER, "posts_per_step": POSTS, "steps": STEPS, "rows": rows})


def measure(jobs: int, threads: int) -> dict[str, Any]:
    """Train `STEPS` steps in each of some processes that start together; return the posts per second of all."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(jobs), context.Queue()
    processes = [context.Process(target=_train, args=(threads, ready, results)) for _ in range(jobs)]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    row = {
        "jobs": jobs,
        "threads": threads,
        "device": found[0]["device"],
        "posts_per_s": round(jobs * POSTS * STEPS / max(each["wall_s"] for each in found), 2),
        "cpu_s_per_step": round(sum(each["cpu_s"] for each in found) / jobs / STEPS, 2),
    }
    print(row, flush=True)
    return row


def _train(threads: int, ready: Any, results: Any) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    settings = Base(folder=FOLDER)
    device = choose_device(settings)
    with tempfile.TemporaryDirectory() as folder:
        base_path = Path(folder) / "base.json"
        record_base("base", None, Path(FOLDER), base_path, judge_base(Path(FOLDER)))
        model = add_adapter(load_base(base_path, settings, device), Lora()).train()
    batch = collate(_examples())
    optimizer = torch.optim.AdamW(p for p in model.parameters() if p.requires_grad)
    for step in range(STEPS + 1):
        if step == 1:  # the first step is a warm-up
            ready.wait()
            wall, cpu = time.perf_counter(), time.process_time()
        (summed_loss(model, batch) / POSTS).backward()
        optimizer.step()
        optimizer.zero_grad()
    results.put({"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "device": name_of(device)})


def _examples() -> list[Example]:
    """Return random posts behind a common instruction."""
    lengths = torch.linspace(*OWN, POSTS).int().tolist()
    before, after = range(100, 100 + PREFIX), range(200, 200 + SUFFIX)
    own = [torch.randint(1000, 200_000, (length,)).tolist() for length in lengths]
    prompts = [(*before, *ids, *after, 300) for ids in own]
    return [Example(ids, len(ids) - 1) for ids in prompts]


if __name__ == "__main__":
    main()
