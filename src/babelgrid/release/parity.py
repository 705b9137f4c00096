"""Check that released weights, loaded as users load them, give the grid's labels."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from babelgrid.config.prompt import Prompt
from babelgrid.errors import UserError
from babelgrid.release.loading import language_keys
from babelgrid.runtime.files import read_parquet, write_json

log = logging.getLogger(__name__)

# Posts are read from stdin and labels written to stdout, so that no text is on disk or in a log.
ANSWER = """
import json, sys
json.dump([label_of(post, language) for post, language in json.load(sys.stdin)], sys.stdout)
"""


@dataclass(frozen=True)
class Cells:
    """Files by language: the test posts of a row and the labels that the grid predicted for them."""

    posts: Mapping[str, Path]
    predictions: Mapping[str, Path]


def check_parity(
    folder: Path, forms: Mapping[str, str], cells: Cells, prompt: Prompt, least: float, out: Path
) -> dict[str, dict[str, Any]]:
    """Label the test posts with the code of each form, each in a new process in the released folder.

    forms: Python source by form (adapter, merged, gguf); it loads a model and defines `label_of`.
    Returns, and writes to `out`, for each form and each pair of forms (`adapter and merged`): posts, agreement with
    the grid or with each other, and the ids that differ, by language.
    Raises `UserError`, after writing, if any agreement is below `least`.
    """
    posts = _labelled_posts(cells)
    labels = {form: _labels(folder, form, lines, posts, prompt) for form, lines in forms.items()}
    found = {form: _compare(own, posts["predicted"].tolist(), posts) for form, own in labels.items()}
    found |= {f"{a} and {b}": _compare(labels[a], labels[b], posts) for a, b in combinations(labels, 2)}
    write_json(out, {"least": least, "agreement": found})
    for form, agreement in found.items():
        share = agreement["agreement"]
        agree, with_whom = ("agrees", "with the grid") if form in forms else ("agree", "with each other")
        log.info("%s: %.2f %% of %d posts have the same label %s", form, 100 * share, agreement["posts"], with_whom)
        if not share >= least:
            worst = max(agreement["differing"], key=lambda language: len(agreement["differing"][language]))
            raise UserError(
                f"release: {form} {agree} {with_whom} on {share:.2%} of {agreement['posts']} test posts, less than "
                f"release.parity ({least:.2%}); most differ in {worst!r}. {out} lists their ids. Nothing is released"
            )
    return found


def _labelled_posts(cells: Cells) -> pd.DataFrame:
    """Return id, text, language and predicted of all test posts."""
    tables = []
    for language, path in cells.posts.items():
        test = read_parquet(path, ["id", "text", "split"]).query("split == 'test'")
        predicted = read_parquet(cells.predictions[language], ["id", "predicted"])
        tables.append(test.merge(predicted, on="id", validate="one_to_one").assign(language=language))
    posts = pd.concat(tables, ignore_index=True)
    if posts.empty:
        raise UserError("release: the row has no test posts, so its weights cannot be compared with the grid's labels")
    return posts


def _labels(folder: Path, form: str, lines: str, posts: pd.DataFrame, prompt: Prompt) -> list[str]:
    languages = posts["language"] if prompt.language == "native" else language_keys(prompt) * len(posts)
    asked = json.dumps(list(zip(posts["text"], languages, strict=True)))
    log.info("%s: labelling %d posts with the code on the card", form, len(posts))
    ended = subprocess.run(
        [sys.executable, "-c", lines + ANSWER],
        cwd=folder,
        input=asked,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
        check=False,
    )
    if ended.returncode != 0:
        last = (ended.stderr.strip().splitlines() or ["no error message"])[-1]
        raise UserError(f"release: the form {form!r} cannot be loaded with the code on the card: {last}")
    labels: list[str] = json.loads(ended.stdout.splitlines()[-1])
    return labels


def _compare(labels: list[str], others: list[str], posts: pd.DataFrame) -> dict[str, Any]:
    differs = pd.Series(labels) != pd.Series(others)
    differing = posts[differs].groupby("language")["id"].agg(list)
    return {
        "posts": len(posts),
        "agreement": 1 - float(differs.mean()),
        "differing": {language: differing.get(language, []) for language in posts["language"].unique()},
    }
