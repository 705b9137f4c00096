"""Define the schema of `posts/all.parquet` and validate it on every write."""

from collections.abc import Sequence

import pandas as pd
import pandera.pandas as pa

COLUMNS = ["id", "language", "text", "label", "split", "group", "source_id"]
PARTS = ["train", "dev", "test"]


def validate_posts(posts: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Return the posts as strings, with columns as in `COLUMNS`; an error here is a bug in babelgrid."""
    filled = pa.Check.str_length(min_value=1)
    schema = pa.DataFrameSchema(
        {
            "id": pa.Column(str, filled, unique=True),
            "language": pa.Column(str, filled),
            "text": pa.Column(str, filled),
            "label": pa.Column(str, pa.Check.isin(labels)),
            "split": pa.Column(str, pa.Check.isin(PARTS)),
            "group": pa.Column(str, nullable=True),
            "source_id": pa.Column(str, nullable=True),
        },
        strict=True,
        ordered=True,
    )
    return schema.validate(posts[COLUMNS].astype("str").reset_index(drop=True))
