"""Define the columns of `posts/all.parquet` and check them on every write."""

from collections.abc import Collection

import pandas as pd

COLUMNS = ["id", "language", "text", "label", "split", "group", "source_id"]
TRANSLATION = "translation"
"""Column of the posts' translations into one language. It exists only if rows of the grid read translations."""
FILLED = ["id", "language", "text", "label", "split"]
PARTS = ["train", "dev", "test"]


def validate_posts(posts: pd.DataFrame, labels: Collection[str]) -> pd.DataFrame:
    """Return the posts as strings, with the columns `COLUMNS` (and `TRANSLATION`, if there is one) in order.

    A `ValueError` here is a bug in babelgrid.
    """
    table = posts[[*COLUMNS, *({TRANSLATION} & {*posts.columns})]].astype("str").reset_index(drop=True)
    wrong = {f"empty {name}": table[name].isna() | (table[name] == "") for name in FILLED} | {
        "duplicate id": table["id"].duplicated(),
        "unknown label": ~table["label"].isin(labels),
        "unknown split": ~table["split"].isin(PARTS),
    }
    faults = {name: int(rows.sum()) for name, rows in wrong.items() if rows.any()}
    if faults:
        raise ValueError(f"posts that break their contract: {faults}")
    return table
