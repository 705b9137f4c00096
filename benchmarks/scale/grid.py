"""Create an experiment with a given number of cells, in its own copy of the project."""

import shutil
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
LANGUAGES = ["en", "es", "pt", "fr", "it", "de", "ar", "hi", "hu", "id", "tr", "pl", "ko"]
LABELS = {"pro": " pro", "anti": " anti", "neutral": " neutral", "unrelated": " unrelated"}
SEEDS = 5
CONFIG = "grid.yaml"
EXPERIMENT = "scale"


def make_experiment(folder: Path, mixtures: int, *, per_cell: bool = False) -> int:
    """Copy the project into a folder with a config of `mixtures` mixtures; return the number of cells."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "Snakefile", folder)
    for name in ("workflow", "src", "profiles", "envs", "config"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "data").mkdir()
    (folder / "data" / "posts.csv").write_text("language,text,label\n", encoding="utf-8")
    config = yaml.safe_dump(_config(mixtures, per_cell), sort_keys=False)
    (folder / CONFIG).write_text(config, encoding="utf-8")
    return mixtures * SEEDS * len(LANGUAGES)


def _config(mixtures: int, per_cell: bool) -> dict[str, Any]:
    """Return an experiment similar to config/grid13.yaml. The base is not needed, because no job runs."""
    return {
        "experiment": EXPERIMENT,
        "seeds": list(range(SEEDS)),
        "languages": {"train": LANGUAGES},
        "labels": {name: {"answer": answer} for name, answer in LABELS.items()},
        "views": {
            "topic": {"related": ["pro", "anti", "neutral"], "unrelated": ["unrelated"]},
            "stance": {"pro": ["pro"], "anti": ["anti"], "neutral": ["neutral"]},
        },
        "posts": {"files": ["data/posts.csv"]},
        "base": {"hub": "meta-llama/Llama-3.2-3B", "revision": "13afe5124825b4f3751f836b40dafda64c1ed062"},
        "mixtures": _mixtures(mixtures),
        "predict": {"per_cell": per_cell},
    }


def _mixtures(count: int) -> dict[str, Any]:
    """Return `count` mixtures: each language, all, all but one, as many blocks of pairs as fit, and doses."""
    languages = len(LANGUAGES)
    rest = count - languages - 1
    leave_one_out = "all" if rest >= languages else []
    rest -= languages if leave_one_out else 0
    pairs = min(rest // (languages - 1), languages)
    doses = rest - pairs * (languages - 1)
    if doses < 0:
        raise ValueError(f"at least {languages + 1} mixtures are needed, got {count}")
    return {
        "none": False,
        "monolingual": "all",
        "all": True,
        "leave_one_out": leave_one_out,
        "pairs": [{"base": LANGUAGES[:pairs], "languages": "all"}] if pairs else [],
        "doses": [{"base": "en", "add": ["hu"], "sizes": list(range(1, doses + 1))}] if doses else [],
    }
