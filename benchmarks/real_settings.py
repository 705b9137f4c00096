"""Compare settings for the real grid on the train part of the study's tweets: `make real-settings`.

The test part is never read: the train part is written to a file of its own, which the workflow splits again with its
seeded split. Each setting trains adapters on English alone and on all languages, which are scored on the posts that
they were not trained on. With a GPU, several processes share it; without one, each run takes minutes.
Results: benchmarks/results/real_settings.csv.
"""

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import transformers
import yaml
from sklearn.metrics import f1_score
from transformers import set_seed

from babelgrid.base_files import record_base
from babelgrid.config.experiment import Experiment
from babelgrid.config.finetune import Finetune
from babelgrid.config.load import read_experiment
from babelgrid.mixture import Mixture
from babelgrid.model.base import Device, choose_device, load_base
from babelgrid.model.examples import train_examples
from babelgrid.model.lora import add_adapter
from babelgrid.model.predict import score_posts
from babelgrid.model.trainer import build_trainer, training_arguments
from babelgrid.posts.sample import sample_posts
from babelgrid.prompts.tokenizer import load_base_tokenizer
from babelgrid.runtime.files import whole_file

TWEETS = Path("data/immigration13/tweets.csv")
TRAIN_PART = Path("data/immigration13/train_part.csv")
FOLDER = Path("results/real_settings")
POSTS = FOLDER / "posts/all.parquet"
RESULTS = Path("benchmarks/results/real_settings.csv")
CONFIG = Path("config/tweets_gemma.yaml")
LANGUAGES = ["en", "es", "ar", "de", "fr", "hi", "hu", "id", "it", "pl", "pt", "tr"]
LINEAR = {"scheduler": "linear", "warmup": 0.1}
STUDY_LORA = {"rank": 64, "alpha": 32, "dropout": 0.1, "targets": ["q_proj", "v_proj"]}
ONE_LINE = (
    "Is the tweet in favour of immigration, against it, neutral about it, or about some other topic? "
    "Answer with one word: favour, against, neutral or other.\nTweet: {text}\nAnswer:"
)
TWEET_FIRST = (
    "Tweet: {text}\nIs the tweet in favour of immigration, against it, neutral about it, or about some other topic?\n"
    "Answer with one word: favour, against, neutral or other.\nAnswer:"
)


@dataclass(frozen=True)
class Setting:
    """What a setting changes: keys of `finetune`, the number of posts, and the prompt's template if it has its own."""

    finetune: dict[str, Any] = field(default_factory=dict)
    posts: int = 240
    template: str | None = None


def _rate(learning_rate: float, schedule: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    return {"learning_rate": learning_rate, **(schedule or {}), **others}


START: dict[str, Any] = {"epochs": 3, "batch_size": 8, "learning_rate": 3e-4}
SETTINGS: dict[str, Setting] = {
    "240 posts, 3e-4": Setting(),
    "240 posts, 1e-4": Setting(_rate(1e-4)),
    "240 posts, 3e-5": Setting(_rate(3e-5)),
    "240 posts, 1e-3 linear": Setting(_rate(1e-3, LINEAR)),
    "240 posts, 3e-4 linear": Setting(_rate(3e-4, LINEAR)),
    "240 posts, 1e-4 linear": Setting(_rate(1e-4, LINEAR)),
    "240 posts, 1e-4 linear, no dropout": Setting(_rate(1e-4, LINEAR, lora={"dropout": 0.0})),
    "240 posts, 3e-4 linear, batch 16": Setting(_rate(3e-4, LINEAR, batch_size=16)),
    "240 posts, 1e-4 linear, batch 16": Setting(_rate(1e-4, LINEAR, batch_size=16)),
    "240 posts, 3e-4 linear, batch 16, 6 epochs": Setting(_rate(3e-4, LINEAR, batch_size=16, epochs=6)),
    "240 posts, 1e-4 linear, batch 16, 6 epochs": Setting(_rate(1e-4, LINEAR, batch_size=16, epochs=6)),
    "240 posts, 3e-4, 10 epochs": Setting({"epochs": 10}),
    "240 posts, 1e-3 linear, 8 epochs": Setting(_rate(1e-3, LINEAR, epochs=8)),
    "240 posts, loss on all, 1e-3 linear": Setting(_rate(1e-3, LINEAR, loss="all")),
    "240 posts, loss on all, 3e-4 linear": Setting(_rate(3e-4, LINEAR, loss="all")),
    "240 posts, loss on all, 1e-4 linear": Setting(_rate(1e-4, LINEAR, loss="all")),
    "240 posts, loss on all, 3e-4 linear, 6 epochs": Setting(_rate(3e-4, LINEAR, loss="all", epochs=6)),
    "240 posts, one-line prompt, 3e-4": Setting(template=ONE_LINE),
    "240 posts, one-line prompt, 1e-4 linear": Setting(_rate(1e-4, LINEAR), template=ONE_LINE),
    "240 posts, tweet first, 1e-4 linear": Setting(_rate(1e-4, LINEAR), template=TWEET_FIRST),
    "240 posts, r64 on q and v, 3e-4 linear": Setting(_rate(3e-4, LINEAR, lora=STUDY_LORA)),
    "240 posts, r64 on q and v, 1e-3 linear": Setting(_rate(1e-3, LINEAR, lora=STUDY_LORA)),
    "240 posts, the study's settings": Setting(_rate(2e-4, lora=STUDY_LORA, loss="all", epochs=10, batch_size=16)),
    "588 posts, 3e-4": Setting(posts=588),
    "588 posts, 3e-4, 6 epochs": Setting({"epochs": 6}, posts=588),
    "588 posts, 1e-4 linear": Setting(_rate(1e-4, LINEAR), posts=588),
    "588 posts, 1e-3 linear": Setting(_rate(1e-3, LINEAR), posts=588),
    "588 posts, 1e-3 linear, 6 epochs": Setting(_rate(1e-3, LINEAR, epochs=6), posts=588),
    "588 posts, 1e-4 linear, batch 16": Setting(_rate(1e-4, LINEAR, batch_size=16), posts=588),
    "588 posts, 3e-4 linear, batch 16": Setting(_rate(3e-4, LINEAR, batch_size=16), posts=588),
    "588 posts, 2e-3 linear, batch 16": Setting(_rate(2e-3, LINEAR, batch_size=16), posts=588),
    "588 posts, loss on all, 3e-4 linear, batch 16": Setting(_rate(3e-4, LINEAR, batch_size=16, loss="all"), posts=588),
    "588 posts, one-line prompt, 1e-3 linear, batch 16, 6 epochs": Setting(
        _rate(1e-3, LINEAR, batch_size=16, epochs=6), posts=588, template=ONE_LINE
    ),
}
MIXTURES = ("en", "all")


def main() -> None:
    """Run every setting; write one row of scores for each adapter as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=2, help="adapters trained at once, with one thread each")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=SETTINGS, metavar="NAME")
    arguments = parser.parse_args()
    prepare_posts()
    runs = list(product(arguments.settings, MIXTURES, arguments.seeds))
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(arguments.cores, get_context("spawn"), _load) as pool:
        for done in as_completed([pool.submit(run, *each) for each in runs]):
            rows.append(done.result())
            print(f"{len(rows)} of {len(runs)}: {rows[-1]}", flush=True)
            with whole_file(RESULTS) as partial:
                pd.DataFrame(rows).sort_values(["setting", "mixture", "seed"]).to_csv(partial, index=False)


def prepare_posts() -> None:
    """Write the posts of the train part, cleaned and split by the workflow."""
    write_train_part()
    changes = {
        "experiment": FOLDER.name,
        "languages": {"test": LANGUAGES},
        "posts": {"files": [str(TRAIN_PART)], "columns": {"part": None}, "parts": None},
        "rivals": None,
        "mixtures": {"posts": 240},
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    overlay = FOLDER / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(changes), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", str(POSTS), "--cores", "1", "--quiet", "--configfile"]
    subprocess.run([*command, str(CONFIG), str(overlay)], check=True)


def write_train_part() -> None:
    """Write the tweets of the train part, without the column that names the part, unless the file is up to date."""
    if TRAIN_PART.exists() and TRAIN_PART.stat().st_mtime > TWEETS.stat().st_mtime:
        return
    tweets = pd.read_csv(TWEETS, dtype=str, keep_default_na=False)
    with whole_file(TRAIN_PART) as partial:
        tweets[tweets["part"] == "train"].drop(columns="part").to_csv(partial, index=False)


@dataclass
class Loaded:
    """What a process loads once for all its runs."""

    folder: Path
    experiment: Experiment
    device: Device
    tokenizer: Any
    base: Any
    posts: pd.DataFrame


_LOADED: list[Loaded] = []


def _load() -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp())
    base_path = folder / "base.json"
    experiment = read_experiment(CONFIG)
    device = choose_device(experiment.base)
    record_base("gemma-3-270m", None, Path(str(experiment.base.folder)), base_path, "packed")
    base = load_base(base_path, experiment.base, device)
    _LOADED.append(Loaded(folder, experiment, device, load_base_tokenizer(base_path), base, pd.read_parquet(POSTS)))


def run(name: str, mixture: str, seed: int) -> dict[str, Any]:
    """Train one adapter; return its macro-F1 in English, in Spanish and in the ten other languages together."""
    [its] = _LOADED
    setting = SETTINGS[name]
    prompt = its.experiment.prompt
    if setting.template:
        prompt = prompt.model_copy(update={"template": setting.template})
    settings = Finetune.model_validate({**START, **setting.finetune})
    train = its.posts[its.posts["split"] == "train"]
    languages = LANGUAGES if mixture == "all" else [mixture]
    own = {language: train[train["language"] == language].reset_index(drop=True) for language in languages}
    sample = sample_posts(own, Mixture(mixture, tuple(languages)), seed, setting.posts)
    examples = train_examples(sample, prompt, its.experiment.labels, settings.loss, its.tokenizer)
    set_seed(seed)
    model = add_adapter(its.base, settings.lora)
    trainer = build_trainer(model, examples, training_arguments(settings, its.device, seed, its.folder))
    trainer.train()
    scores = _scores(_predictions(model.eval(), prompt, its))
    its.base = model.unload()
    return {"setting": name, "mixture": mixture, "seed": seed, "steps": trainer.state.global_step, **scores}


def _predictions(model: Any, prompt: Any, its: Loaded) -> pd.DataFrame:
    """Return group, gold and predicted for the posts outside the train split."""
    found = []
    for language, rows in its.posts[its.posts["split"] != "train"].groupby("language"):
        test = rows.reset_index(drop=True)
        scored = score_posts(model, its.tokenizer, test, str(language), prompt, its.experiment.labels, 8192)
        group = language if language in ("en", "es") else "others"
        found.append(scored[["gold", "predicted"]].assign(group=group))
    return pd.concat(found, ignore_index=True)


def _scores(predictions: pd.DataFrame) -> dict[str, float]:
    """Return macro-F1 of topic, and of stance on posts about the topic, by group, and the mean of the six."""
    scores = {}
    for group, rows in predictions.groupby("group"):
        is_other = rows["gold"] == "unrelated"
        scores[f"topic_{group}"] = f1_score(is_other, rows["predicted"] == "unrelated", average="macro")
        related = rows[~is_other]
        stances = ["pro", "anti", "neutral"]
        scores[f"stance_{group}"] = f1_score(
            related["gold"], related["predicted"], labels=stances, average="macro", zero_division=0
        )
    rounded = {name: round(float(score), 4) for name, score in scores.items()}
    return {**rounded, "mean": round(sum(scores.values()) / len(scores), 4)}


if __name__ == "__main__":
    main()
