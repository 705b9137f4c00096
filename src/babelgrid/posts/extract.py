"""One language's posts in a file of their own, so that a job depends on the languages it uses and no others."""

from pathlib import Path

from babelgrid.errors import UserError
from babelgrid.files import provenance, read_parquet, write_parquet

COLUMNS = ["id", "text", "label", "split", "group", "source_id"]


def extract_posts(posts_path: Path, language: str, out: Path) -> None:
    """Write the posts of one language (id, text, label, split, group, source_id); `UserError` if there are none."""
    posts = read_parquet(posts_path)
    own = posts.loc[posts["language"] == language, COLUMNS].reset_index(drop=True)
    if own.empty:
        raise UserError(
            f"posts: the data holds no {language!r}. Languages: {', '.join(sorted(set(posts['language'])))}"
        )
    write_parquet(out, own, provenance({"language": language}, [posts_path]))
