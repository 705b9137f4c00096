"""Compare settings for the real grid on the train part of the study's tweets: `make real-settings`.

The test part is never read. The train part is written to a file of its own, which the workflow splits again with its
seeded split; each setting trains one adapter on all languages there. Results: benchmarks/results/real_settings.csv.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from babelgrid.runtime.files import whole_file

TWEETS = Path("data/immigration13/tweets.csv")
TRAIN_PART = Path("data/immigration13/train_part.csv")
RESULTS = Path("benchmarks/results/real_settings.csv")
CONFIG = "config/tweets_gemma.yaml"
LANGUAGES = ["en", "es", "ar", "de", "fr", "hi", "hu", "id", "it", "pl", "pt", "tr"]
START: dict[str, Any] = {
    "finetune": {"epochs": 3, "batch_size": 8, "learning_rate": 3e-4},
    "mixtures": {"posts": 240},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "start": {},
    "learning_rate 1e-4": {"finetune": {"learning_rate": 1e-4}},
    "learning_rate 1e-3": {"finetune": {"learning_rate": 1e-3}},
    "posts 540, epochs 1, learning_rate 1e-4": {
        "finetune": {"learning_rate": 1e-4, "epochs": 1},
        "mixtures": {"posts": 540},
    },
    "posts 540, epochs 1, linear": {
        "finetune": {"scheduler": "linear", "warmup": 0.1, "epochs": 1},
        "mixtures": {"posts": 540},
    },
}
"""Name of a setting -> its changes from `START`, by block of the config."""


def main() -> None:
    """Run every setting and write the table of scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", default="2", help="cores for Snakemake")
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=SETTINGS, metavar="NAME")
    arguments = parser.parse_args()
    write_train_part()
    rows = [_run(name, arguments.cores) for name in arguments.settings]
    with whole_file(RESULTS) as partial:
        pd.DataFrame(rows).to_csv(partial, index=False)


def write_train_part() -> None:
    """Write the tweets of the train part, without the column that names the part, unless the file is up to date."""
    if TRAIN_PART.exists() and TRAIN_PART.stat().st_mtime > TWEETS.stat().st_mtime:
        return
    tweets = pd.read_csv(TWEETS, dtype=str, keep_default_na=False)
    with whole_file(TRAIN_PART) as partial:
        tweets[tweets["part"] == "train"].drop(columns="part").to_csv(partial, index=False)


def _run(name: str, cores: str) -> dict[str, Any]:
    """Run a small grid with one setting; return its mean macro-F1 over languages, by view."""
    overlay = overlay_of(name)
    results = Path("results") / overlay["experiment"]
    results.mkdir(parents=True, exist_ok=True)
    config = results / "overlay.yaml"
    config.write_text(yaml.safe_dump(overlay, allow_unicode=True), encoding="utf-8")
    cells = results / "tables/cells.csv"
    command = [sys.executable, "-m", "snakemake", str(cells), "--cores", cores, "--configfile", CONFIG, str(config)]
    subprocess.run(command, check=True)
    scored = pd.read_csv(cells, keep_default_na=False, na_values=[""])
    means = scored[scored["n"] > 0].groupby("view")["macro_f1"].mean()
    return {"setting": name, **means.round(4).to_dict()}


def overlay_of(name: str) -> dict[str, Any]:
    """Return the overlay for one setting: the train part alone, one mixture, one seed."""
    overlay: dict[str, Any] = {
        "experiment": f"real_settings_{list(SETTINGS).index(name)}",
        "seeds": [0],
        "languages": {"test": LANGUAGES},
        "posts": {"files": [str(TRAIN_PART)], "columns": {"part": None}, "parts": None},
        "mixtures": {"none": False, "monolingual": [], "pairs": [], "all": True},
        "rivals": None,
    }
    for changes in (START, SETTINGS[name]):
        for block, values in changes.items():
            overlay[block] = {**overlay.get(block, {}), **values}
    return overlay


if __name__ == "__main__":
    main()
