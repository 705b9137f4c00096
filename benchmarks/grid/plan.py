"""Write babelgrid's base, posts, mixtures and hyperparameters as JSON for the plain script."""

from pathlib import Path
from typing import Any

import pandas as pd

from babelgrid.config.experiment import Experiment
from babelgrid.config.finetune import Finetune
from babelgrid.grid import build_grid
from babelgrid.posts.sample import read_train_posts, sample_posts
from babelgrid.prompts.template import frame_of
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json, read_parquet, write_json

VIEW = "topic"


def write_plan(experiment: Experiment, results: Path, folder: Path, workers: int) -> Path:
    """Write the plan and its posts to `folder`, from the existing posts and base in `results`; return its path."""
    grid = build_grid(experiment)
    base = read_json(results / "base.json")["folder"]
    adapters = {}
    for name, seed in grid.adapters:
        mixture = grid.mixtures[name]
        train = read_train_posts({language: _posts_file(results, language) for language in mixture.all_languages})
        sample = sample_posts(train, mixture, seed, experiment.mixtures.posts)
        posts = _prompts(experiment, base, sample, with_answers=True)
        path = folder / "train" / f"{name}_{seed}.json"
        write_json(path, posts)
        adapters[f"{name}/{seed}"] = {"mixture": name, "seed": seed, "posts": str(path)}
    write_json(
        folder / "plan.json",
        {
            "base": base,
            "double_quantization": experiment.base.double_quantization,
            "adapters": adapters,
            "test_posts": {
                language: _write_test_posts(experiment, base, results, folder, language)
                for language in grid.test_languages
            },
            "answers": {name: label.answer for name, label in experiment.labels.items()},
            "view": {label: name for name, labels in experiment.effective_views[VIEW].items() for label in labels},
            "training": _training(experiment.finetune),
            "lora": _lora(experiment.finetune),
            "workers": workers,
            "out": str(folder / "out"),
        },
    )
    return folder / "plan.json"


def _posts_file(results: Path, language: str) -> Path:
    return results / "posts" / f"{language}.parquet"


def _write_test_posts(experiment: Experiment, base: str, results: Path, folder: Path, language: str) -> str:
    posts = read_parquet(_posts_file(results, language)).assign(language=language)
    path = folder / "test" / f"{language}.json"
    write_json(path, _prompts(experiment, base, posts[posts["split"] == "test"], with_answers=False))
    return str(path)


def _prompts(experiment: Experiment, base: str, posts: pd.DataFrame, *, with_answers: bool) -> list[dict[str, str]]:
    tokenizer = load_tokenizer(base)
    rows = []
    for post in posts.itertuples():
        frame = frame_of(experiment.prompt, post.language, tokenizer)
        prompt = frame.before + post.text + frame.after
        answer = {"completion": experiment.labels[post.label].answer} if with_answers else {"label": post.label}
        rows.append({"prompt": prompt, **answer})
    return rows


def _training(settings: Finetune) -> dict[str, Any]:
    return {
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.scheduler,
        "warmup_steps": settings.warmup,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "optim": "adamw_torch",
    }


def _lora(settings: Finetune) -> dict[str, Any]:
    lora = settings.lora
    return {"r": lora.rank, "lora_alpha": lora.alpha, "lora_dropout": lora.dropout, "target_modules": lora.targets}
