"""Provide an adapter trained on a random base, the cells of its row, and a function that releases it."""

import pandas as pd
import pytest

from babelgrid.config.finetune import Predict
from babelgrid.config.prompt import Prompt
from babelgrid.config.release import Release
from babelgrid.model.predict import predict
from babelgrid.release.adapter import release_adapter
from babelgrid.release.card import Row
from babelgrid.release.parity import Cells
from babelgrid.runtime.files import write_csv
from babelgrid.runtime.usage import Usage
from training import BASE, LABELS, train, write_posts

SETTINGS = Release(
    adapters=["en+es"], base="someone/small-base", base_revision="4f0c2d1b4f0c2d1b4f0c2d1b4f0c2d1b4f0c2d1b"
)


@pytest.fixture(scope="session")
def cells(tmp_path_factory, random_base):
    """Return the row and the cells of an adapter trained on two languages."""
    folder = tmp_path_factory.mktemp("row")
    (folder / "posts").mkdir()
    posts = write_posts(folder / "posts")
    adapter = train(posts, random_base(), folder / "adapter")
    predictions = {language: folder / f"{language}.parquet" for language in posts}
    blocks = {"base": BASE, "prompt": Prompt(), "labels": LABELS, "settings": Predict(), "usage": Usage()}
    predict(random_base(), adapter, posts, predictions, folder / "kept", **blocks, code="x")
    scores = {"n": 6, "macro_f1": 0.5, "macro_f1_low": 0.25, "macro_f1_high": 0.75}
    table = pd.DataFrame(
        [
            {"mixture": mixture, "seed": 0, "test_language": language, "view": "stance", **scores}
            for mixture in ("en+es", "en")
            for language in posts
        ]
    ).assign(majority_macro_f1=0.3, ngram_macro_f1=0.4)
    write_csv(folder / "cells.csv", table)
    row = Row("small", "en+es", 0, adapter, random_base(), folder / "cells.csv", posts)
    return row, Cells(posts, predictions)


def release_into(folder, row, its_cells, **changes):
    """Release a row with changed settings; return the released folder."""
    out = folder / "released/seed0"
    blocks = {"base": BASE, "prompt": Prompt(), "labels": LABELS, "settings": SETTINGS.model_copy(update=changes)}
    release_adapter(row, its_cells, out, folder / "parity.json", **blocks)
    return out


@pytest.fixture(scope="session")
def released(cells, tmp_path_factory):
    """Return the folder of the adapter, released once with the usual settings. Tests only read it."""
    return release_into(tmp_path_factory.mktemp("released"), *cells)


@pytest.fixture
def release(cells, tmp_path):
    """Return a function that releases the adapter (or other cells) with changed settings and returns the folder."""
    its_row, own_cells = cells

    def run(row=its_row, its_cells=own_cells, **changes):
        return release_into(tmp_path, row, its_cells, **changes)

    return run
