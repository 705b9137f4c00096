"""Write one file of posts per language, so that a job depends only on the languages that it uses."""

import hashlib
from pathlib import Path

import pandas as pd

from babelgrid.errors import UserError
from babelgrid.posts.schema import TRANSLATION
from babelgrid.runtime.files import read_json, read_parquet, write_parquet

COLUMNS = ["id", "text", "label", "split", "group", "source_id"]
_ROWS = 65_536


def extract_posts(posts_path: Path, counts_path: Path, language: str, out: Path, translated: bool = False) -> None:
    """Write the posts of one language (id, text, label, split, group, source_id).

    translated: the text is the post's translation, and posts without one are left out.
    counts_path: the language's counts, with the digest of its rows; the folder of all counts if it has none. The output
    contains nothing about other languages and no provenance, because training jobs depend on its bytes. Raises
    `UserError` if the language has no posts, or if the digest does not match.
    """
    posts = read_parquet(posts_path)
    if counts_path.is_dir():
        languages = ", ".join(sorted(set(posts["language"])))
        raise UserError(f"posts: the data has no posts in {language!r}. Languages: {languages}")
    own = posts.loc[posts["language"] == language]
    if translated:
        own = in_translation(own)
    rows = read_json(counts_path)["rows"]
    if digest_rows(own) != rows:
        raise UserError(f"{posts_path}: the rows in {language!r} have changed since they were counted. Run again")
    write_parquet(out, own[COLUMNS].reset_index(drop=True), {"language": language, "rows": rows})


def in_translation(posts: pd.DataFrame) -> pd.DataFrame:
    """Return the posts that have a translation, with the translation in place of the text."""
    has_one = posts[posts[TRANSLATION].notna()]
    return has_one.assign(text=has_one[TRANSLATION])


def digest_rows(posts: pd.DataFrame) -> str:
    """Return the SHA-256 of a language's posts, in their given order."""
    digest = hashlib.sha256()
    for start in range(0, len(posts), _ROWS):
        digest.update(posts[COLUMNS].iloc[start : start + _ROWS].to_json(orient="values").encode())
    return digest.hexdigest()
