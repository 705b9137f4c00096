"""Create the tables of an artificial grid with 13 languages and any mixtures, in the format of real tables.

`python -m tests.synthetic FOLDER [small]` writes the tables of 92 mixtures (or 4) to inspect figures and report.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.runtime.files import write_csv

LANGUAGES = ["en", "es", "pt", "fr", "it", "de", "ar", "hi", "hu", "id", "tr", "pl", "ko"]
SHARES = [89.7, 0.13, 0.09, 0.16, 0.11, 0.17, None, None, 0.03, 0.03, None, 0.09, 0.06]
VIEWS = {
    "topic": {"related": ["pro", "anti", "neutral"], "unrelated": ["unrelated"]},
    "stance": {"pro": ["pro"], "anti": ["anti"], "neutral": ["neutral"]},
}
METRICS = ("accuracy", "macro_f1", "weighted_f1", "mcc")

FOUR = ["en", "es", "en+es", "all"]
MANY = [
    "none",
    *LANGUAGES,
    *(f"en+{language}" for language in LANGUAGES[1:]),
    *(f"es+{language}" for language in LANGUAGES[2:]),
    "all",
    *(f"all-{language}" for language in LANGUAGES),
    *(f"en+{language}@{dose}" for language in LANGUAGES[2:] for dose in (5, 10, 25, 75)),
][:92]


def languages_of(mixture):
    """Return the languages of a mixture."""
    if mixture.startswith("all"):
        return [language for language in LANGUAGES if language != mixture.removeprefix("all-")]
    return [] if mixture == "none" else mixture.split("@")[0].replace("~", "+").split("+")


def write_tables(folder, mixtures, *, views=VIEWS, seeds=2):
    """Write all tables, posts/report.json and base.json; return name -> path of the tables."""
    folder = Path(folder)
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    (folder / "posts").mkdir(exist_ok=True)
    tables = {"cells": _cells(mixtures, views, seeds), "exposure": _exposure(mixtures)}
    tables["scores"] = _joint(tables["cells"])
    tables["learning_curves"] = _curves(mixtures, seeds)
    tables["donors"] = _donors(tables["scores"])
    tables["clusters"] = clusters_of(tables["scores"])
    tables["doses"], tables["dose_fits"] = _doses(tables["scores"])
    tables["dose_curves"] = _curve_of(tables["dose_fits"])
    tables["calibration"] = _calibration(tables["scores"])
    paths = {name: folder / "tables" / f"{name}.csv" for name in tables}
    for name, frame in tables.items():
        write_csv(paths[name], frame)
    paths["confusions"] = folder / "tables" / "confusions.parquet"
    _confusions(mixtures, views).to_parquet(paths["confusions"])
    (folder / "posts" / "report.json").write_text(json.dumps(_posts_report()), encoding="utf-8")
    (folder / "base.json").write_text(json.dumps({"name": "lab", "revision": None, "sha256": {}}), encoding="utf-8")
    return paths


def _cells(mixtures, views, seeds):
    generator = np.random.default_rng(5)
    strength = dict(zip(LANGUAGES, np.linspace(0.28, 0.02, len(LANGUAGES)), strict=True))
    rows = []
    for mixture in mixtures:
        held = languages_of(mixture)
        for seed in range(1 if mixture == "none" else seeds):
            for language in LANGUAGES:
                for view in views:
                    middle = 0.34 + strength[language] + 0.22 * (language in held) + 0.06 * bool(held)
                    score = float(np.clip(middle + generator.normal(0, 0.04), 0.05, 0.99))
                    key = {"mixture": mixture, "seed": seed, "test_language": language, "split": "test", "view": view}
                    rows.append({**key, "n": 20 if language == "ko" and view == "stance" else 200, **_scores(score)})
    return pd.DataFrame(rows)


def clusters_of(scores):
    """Return a clusters.csv for tests: names in alphabetical order, for every view and axis."""
    return pd.DataFrame(
        [
            {"view": view, "axis": axis, "position": position, "name": name}
            for view, own in scores.groupby("view", sort=False)
            for axis in ("mixture", "test_language")
            for position, name in enumerate(sorted(own[axis].unique()))
        ]
    )


def _donors(scores):
    rows = []
    for view, own in scores.groupby("view", sort=False):
        matrix = own.set_index(["mixture", "test_language"])["score"].unstack()
        alone = [code for code in LANGUAGES if code in matrix.index]
        means = {("donor", code): matrix.loc[code].drop(code) for code in alone}
        means |= {("recipient", code): matrix.loc[[one for one in alone if one != code], code] for code in LANGUAGES}
        for (role, name), values in means.items():
            mean = values.mean()
            gain = {"gain": mean - 0.4, "gain_low": mean - 0.42, "gain_high": mean - 0.38}
            key = {"view": view, "role": role, "name": name, "cells": len(values)}
            rows.append({**key, "score": mean, "low": mean - 0.02, "high": mean + 0.02, **gain})
    return pd.DataFrame(rows)


def _doses(scores):
    named = scores["mixture"].str.extract(r"^(?P<base>.+)\+(?P<language>[^+@]+)@(?P<dose>\d+)$")
    dosed = scores.assign(base=named["base"], language=named["language"], dose=named["dose"].astype(float))
    dosed = dosed[dosed["test_language"] == dosed["language"]]
    series = dosed[["view", "base", "language"]].drop_duplicates()
    left, right = ["view", "base", "language"], ["view", "mixture", "test_language"]
    start = series.merge(scores, left_on=left, right_on=right).assign(dose=0.0)
    fits = series.assign(doses=5, floor=0.45, rise=0.3, scale=9.0, scale_low=4.0, scale_high=30.0, in_language=0.75)
    fits = fits.assign(target=0.71, size=18.1, size_low=7.9, size_high=np.inf, largest_dose=75, reached=0.81)
    columns = ["view", "base", "language", "dose", "mixture", "n", "score", "low", "high"]
    return pd.concat([start, dosed])[columns].sort_values(["view", "base", "language", "dose"]), fits


def _curve_of(fits):
    points = fits[["view", "base", "language"]].merge(pd.DataFrame({"dose": np.linspace(0, 75, 76)}), how="cross")
    score = 0.45 - 0.3 * np.expm1(-points["dose"] / 9.0)
    return points.assign(score=score, low=score - 0.05, high=score + 0.05)


def _calibration(scores):
    generator = np.random.default_rng(8)
    table = scores[["view", "mixture", "test_language", "seeds", "n"]]
    error = generator.uniform(0.05, 0.25, len(table))
    table = table.assign(ece=error, brier=error + 0.3, temperature=1.8, ece_scaled=error / 2, brier_scaled=error + 0.2)
    return table.assign(scaled_on="the other half of the test posts")


def _curves(mixtures, seeds):
    generator = np.random.default_rng(7)
    steps = np.arange(1, 126, 5)
    rows = []
    for mixture in mixtures:
        for seed in range(seeds if mixture != "none" else 0):
            loss = 1.4 * np.exp(-steps / (20 + 4 * len(languages_of(mixture)))) + 0.1
            noise = generator.uniform(0.85, 1.15, len(steps))
            curve = {"step": steps, "epoch": steps / 25, "loss": loss * noise, "learning_rate": 1e-3, "grad_norm": 1.0}
            rows.append(pd.DataFrame({"mixture": mixture, "seed": seed, **curve}))
    return pd.concat(rows, ignore_index=True)


def _joint(cells):
    groups = cells.groupby(["view", "mixture", "test_language"], sort=False)
    scores = groups.agg(seeds=("seed", "size"), n=("n", "mean"), score=("macro_f1", "mean")).reset_index()
    return scores.assign(low=scores["score"] - 0.08, high=scores["score"] + 0.08, ranked=scores["n"] >= 50)


def _confusions(mixtures, views):
    generator = np.random.default_rng(6)
    rows = []
    for mixture in mixtures:
        for language in LANGUAGES:
            for view, classes in views.items():
                key = {"view": view, "mixture": mixture, "test_language": language}
                for gold in classes:
                    for predicted in classes:
                        n = 60 if gold == predicted else 15
                        examples = (
                            []
                            if gold == predicted
                            else [f"{language}-{i:016x}" for i in generator.integers(300, size=3)]
                        )
                        rows.append({**key, "gold": gold, "predicted": predicted, "n": n, "examples": examples})
    return pd.DataFrame(rows)


def _scores(score):
    row = {}
    for number, metric in enumerate(METRICS):
        value = score - 0.01 * number
        row |= {metric: value, f"{metric}_low": value - 0.06, f"{metric}_high": value + 0.06}
        row |= {f"majority_{metric}": 0.33, f"ngram_{metric}": 0.5}
    return {name: round(value, 6) for name, value in row.items()}


def _exposure(mixtures):
    rows = []
    for mixture in mixtures:
        held = languages_of(mixture)
        for language, share in zip(LANGUAGES, SHARES, strict=True):
            posts = 390 // len(held) if language in held else 0
            row = {"mixture": mixture, "language": language, "seen": language in held, "share_llama2": share}
            rows.append({**row, "finetune_posts": posts, "finetune_text_tokens_seen": 60.0 * posts})
    return pd.DataFrame(rows)


def _posts_report():
    parts = {part: dict.fromkeys(["pro", "anti", "neutral", "unrelated"], 50) for part in ("train", "test")}
    tokens = {"posts": 400, "mean": 21.5, "median": 20.0, "max": 80, "per_word": 1.4, "per_character": 0.25}
    return {
        "rows": {"read": 5300, "kept": 5200, "dropped": 100},
        "dropped": {"duplicate": 66, "leak: copy of a test post": 34},
        "leaks": {"rows": 34, "test_rows_with_an_exact_train_copy": 34},
        "copies_with_another_label": 2,
        "languages": {language: {"kept": 400, "dropped": 0} for language in LANGUAGES},
        "balance": dict.fromkeys(LANGUAGES, parts),
        "tokens": {language: {**tokens, "prompt_mean": 40.0, "truncated": 0} for language in LANGUAGES},
    }


if __name__ == "__main__":
    write_tables(sys.argv[1], FOUR if "small" in sys.argv else MANY)
