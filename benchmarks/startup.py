"""Measure the time from process start to first training step of a finetune job, in turn with a minimal process.

    OMP_NUM_THREADS=1 python -m benchmarks.startup

The minimal process only imports torch and loads the same base in 4 bits with transformers. Writes
benchmarks/results/startup.json and prints a Markdown table.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from babelgrid.runtime.files import write_parquet
from benchmarks.measure import Measured, run_measured, summary, write_result
from benchmarks.process import span
from benchmarks.questions import lab_shape, lab_texts, write_random_base

ROOT = Path(__file__).parents[1]
POSTS = 512
LEAST = """
import sys
import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
nf4 = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
AutoModelForCausalLM.from_pretrained(sys.argv[1] + "/base", quantization_config=nf4, device_map={"": "cpu"})
"""
OURS = """
import sys
from pathlib import Path
import babelgrid.runtime.offline
from babelgrid.config.base import Base
from babelgrid.config.finetune import Finetune
from babelgrid.config.prompt import Label, Prompt
from babelgrid.mixture import Mixture
from babelgrid.model import finetune, trainer
from babelgrid.runtime.usage import Usage

def stop_at_the_first_step(*_):
    sys.exit(0)

trainer.AdapterTrainer.training_step = stop_at_the_first_step
folder = Path(sys.argv[1])
finetune.finetune(
    {"en": folder / "en.parquet"}, folder / "base.json",
    folder / "adapter", folder / "checkpoints", folder / "trackers",
    mixture=Mixture("en", ("en",)), budget=None, seed=0, base=Base(folder="base"), prompt=Prompt(),
    labels={"pro": Label(answer=" pro"), "anti": Label(answer=" anti")}, settings=Finetune(), code="", usage=Usage(),
)
"""
SIDES = {"import torch, load the base": LEAST, "finetune, up to its first step": OURS}


def main() -> None:
    """Run both sides in turn, print the table and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        rounds = [{name: start(code, folder) for name, code in SIDES.items()} for _ in range(repeats + 1)]
    rows = [report(name, rounds[1:]) for name in SIDES]  # the first round warms the disk cache
    write_result("startup", {"repeats": repeats, "rows": rows})
    print(table(rows))


def prepare(folder: Path) -> None:
    """Write a base with the lab's shape and train posts."""
    texts = lab_texts(folder, posts_per_language=POSTS // 13 + 1)[:POSTS]
    write_random_base(folder, lab_shape(8192), texts)
    labels = ["pro", "anti"] * (POSTS // 2)
    posts = {"id": [str(number) for number in range(POSTS)], "text": texts, "label": labels, "split": "train"}
    write_parquet(folder / "en.parquet", pd.DataFrame(posts), {})


def start(code: str, folder: str) -> Measured:
    """Run a process and return its cost."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    return run_measured([sys.executable, "-c", code, folder], environment={"PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"})


def report(name: str, rounds: list[dict[str, Measured]]) -> dict[str, Any]:
    """Return a side's record: seconds, memory, and ratios to the minimal process in the same round."""
    [least, *_] = SIDES
    return {
        "side": name,
        **{unit: summary([getattr(costs[name], unit) for costs in rounds]) for unit in ("wall_s", "cpu_s", "peak_mb")},
        "wall_ratio": summary([costs[name].wall_s / costs[least].wall_s for costs in rounds]),
        "cpu_ratio": summary([costs[name].cpu_s / costs[least].cpu_s for costs in rounds]),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the records as a Markdown table."""
    lines = [
        "| process | wall s | CPU s | peak MB | x the least, wall | x the least, CPU |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        spans = [span(row[unit], digits) for unit, digits in (("wall_s", 1), ("cpu_s", 1))]
        ratios = [span(row[ratio], 2) for ratio in ("wall_ratio", "cpu_ratio")]
        peak = f"{row['peak_mb']['max']:.0f}"
        lines.append(f"| {' | '.join([row['side'], *spans, peak, *ratios])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
