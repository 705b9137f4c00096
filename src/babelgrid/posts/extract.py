"""One language's posts in a file of their own, so that a job depends on the languages it uses and no others."""

import hashlib
from pathlib import Path

import pandas as pd

from babelgrid.errors import UserError
from babelgrid.runtime.files import read_json, read_parquet, write_parquet

COLUMNS = ["id", "text", "label", "split", "group", "source_id"]
_ROWS = 65_536


def extract_posts(posts_path: Path, counts_path: Path, language: str, out: Path) -> None:
    """Write the posts of one language (id, text, label, split, group, source_id).

    counts_path: the language's counts, with the digest of its rows. The file holds nothing of other languages, nor of
    when and with what it was made: jobs that train depend on its bytes. Raises `UserError` if the rows are others.
    """
    posts = read_parquet(posts_path)
    own = posts.loc[posts["language"] == language]
    rows = read_json(counts_path)["rows"]
    if digest_rows(own) != rows:
        raise UserError(f"{posts_path}: its rows in {language!r} are not those that were counted. Run again")
    write_parquet(out, own[COLUMNS].reset_index(drop=True), {"language": language, "rows": rows})


def digest_rows(posts: pd.DataFrame) -> str:
    """Return the SHA-256 of a language's posts, in their order."""
    digest = hashlib.sha256()
    for start in range(0, len(posts), _ROWS):
        digest.update(posts[COLUMNS].iloc[start : start + _ROWS].to_json(orient="values").encode())
    return digest.hexdigest()
