from pathlib import Path

import pandas as pd
import pytest

from babelgrid.config.posts import Posts
from babelgrid.config.prompt import Label
from babelgrid.posts.prepare import prepare_posts

LABELS = {"pro": Label(answer=" pro", aliases=["for"]), "anti": Label(answer=" anti")}


@pytest.fixture
def labels():
    return LABELS


@pytest.fixture
def prepare(tmp_path):
    """Run the stage on files in tmp_path and return the posts and the dropped rows."""

    def run(files="*.csv", aliases=None, seed=1, labels=LABELS, **settings):
        paths = {} if files is None else {"files": [str(tmp_path / files)]}
        out = tmp_path / "out"
        posts_path, dropped_path = out / "all.parquet", out / "dropped.csv"
        prepare_posts(Posts(**paths, **settings), labels, aliases or {}, seed, posts_path, dropped_path)
        return pd.read_parquet(posts_path), pd.read_csv(dropped_path, dtype="str", keep_default_na=False)

    return run


@pytest.fixture
def write(tmp_path):
    """Write a file of the data and return its path."""

    def write_file(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


@pytest.fixture
def real_data():
    folder = Path(__file__).parents[2] / "../shared/data"

    def find(name):
        path = folder / name
        if not path.exists():
            pytest.skip(f"the real data is missing: {path}")
        return path.resolve()

    return find
