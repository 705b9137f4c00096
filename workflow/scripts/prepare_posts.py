from pathlib import Path

from babelgrid.config.posts import Posts
from babelgrid.config.prompt import read_labels
from babelgrid.config.rivals import Translate
from babelgrid.posts.prepare import prepare_posts
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    blocks = snakemake.params.settings
    posts = Posts(**blocks["posts"])
    prepare_posts(
        posts.read_from_lab(snakemake.input.sources) if posts.lab else posts,
        read_labels(blocks["labels"]),
        snakemake.params.aliases,
        snakemake.params.seed,
        posts_path=Path(snakemake.output.posts),
        dropped_path=Path(snakemake.output.dropped),
        translate=Translate(**blocks["translate"]) if "translate" in blocks else None,
    )
