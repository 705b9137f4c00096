"""Run a small training job in this process or in its own: `python -m training POSTS BASE FOLDER SETTINGS`."""

import sys
from pathlib import Path

import pandas as pd

from babelgrid.config.base import Base
from babelgrid.config.finetune import Finetune, Lora
from babelgrid.config.prompt import Label, Prompt
from babelgrid.mixture import Mixture
from babelgrid.model.finetune import finetune
from babelgrid.runtime.files import write_parquet
from babelgrid.runtime.job import job, limit_threads
from babelgrid.runtime.usage import Usage

LABELS = {"pro": Label(answer=" pro"), "anti": Label(answer=" anti")}
BASE = Base(folder="the folder is in base.json", cpu_dtype="float32")
SETTINGS = Finetune(epochs=2, batch_size=4, learning_rate=5e-3, lora=Lora(rank=4, dropout=0.1))


def write_posts(folder):
    """Write two languages with 12 train and 6 test posts each, in which one word determines the label."""
    paths = {}
    for language, words in {"en": ("welcome", "closed"), "es": ("bienvenidos", "cerrado")}.items():
        rows = [
            {"id": f"{language}-{i}", "text": f"{words[i % 2]} {i}", "label": ["pro", "anti"][i % 2]} for i in range(18)
        ]
        frame = pd.DataFrame(rows).assign(split=["train"] * 12 + ["test"] * 6, group=None, source_id=None)
        paths[language] = folder / f"{language}.parquet"
        write_parquet(paths[language], frame)
    return paths


def train(posts, base_path, adapter, settings=SETTINGS, seed=0, checkpoints=None, code="the same", **changes):
    choices = {"base": BASE, "prompt": Prompt(), **changes}
    finetune(
        posts,
        base_path,
        adapter,
        checkpoints or adapter.with_name("checkpoints"),
        adapter.with_name("trackers"),
        mixture=Mixture("+".join(posts), tuple(posts)),
        budget=None,
        seed=seed,
        labels=LABELS,
        settings=settings,
        code=code,
        usage=Usage(),
        **choices,
    )
    return adapter


if __name__ == "__main__":
    posts, base, folder, settings = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    with job(folder / "training.log"):
        limit_threads(1)
        paths = {path.stem: path for path in sorted(posts.glob("*.parquet"))}
        train(paths, base, folder / "adapter", Finetune.model_validate_json(settings), checkpoints=folder / "state")
