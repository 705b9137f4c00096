# Where files are: results by name, and the user's own files that jobs read.

from snakemake.io import contains_wildcard

from babelgrid.posts.paths import files_within, find_files


def posts_file(language):
    """The posts of one language. No language has the code of another file beside it: `all` is refused."""
    return f"{RESULTS}/posts/{language}.parquet"


def answers_file(template):
    """The answers under one template, checked."""
    return f"{RESULTS}/answers/{template}.json"


def adapter_file(mixture, seed):
    return f"{RESULTS}/adapters/{mixture}/seed{seed}/adapter_model.safetensors"


def adapter_config(weights):
    """What lies beside the weights and says how they are put into the base."""
    return str(Path(weights).with_name("adapter_config.json")) if weights else []


def provenance_file(mixture, seed):
    """What an adapter was made of."""
    return f"{RESULTS}/adapters/{mixture}/seed{seed}/provenance.json"


def prediction_file(mixture, seed, language):
    return f"{RESULTS}/predictions/{mixture}/seed{seed}/{language}.parquet"


def usage_file(job):
    """What a job took: `finetune/en/seed0`."""
    return f"{RESULTS}/usage/{job}.json"


def baseline_file(mixture, seed):
    return f"{RESULTS}/baselines/{mixture}/seed{seed}.parquet"


def source_files():
    """The user's files of posts that exist; the script says in full which do not."""
    if EXPERIMENT.posts.dataset:
        return list(map(str, files_within(EXPERIMENT.posts.dataset.name)))
    return existing_files(EXPERIMENT.posts.files or [])


def base_files():
    """The files of a base in a local folder."""
    if EXPERIMENT.base.folder is None:
        return []
    folder = Path(EXPERIMENT.base.folder).expanduser()
    return sorted(
        str(path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.is_file() and not path.name.startswith(".")
    )


def price_files():
    """The user's own list of prices, if there is one."""
    return [EXPERIMENT.cost.prices] if EXPERIMENT.cost.prices else []


def share_files():
    """The user's own share tables; the others are shipped."""
    return [table for table in EXPERIMENT.exposure.tables if os.path.isfile(table)]


def existing_files(patterns):
    """The files that the patterns name; a pattern that matches nothing is left to the script."""
    found = []
    for pattern in patterns:
        try:
            found += find_files([pattern])
        except UserError:
            continue
    return sorted({str(file.path) for file in found})


def named(paths):
    """The paths that can be the inputs of a rule; those of `stamps` cannot."""
    return [path for path in paths if not contains_wildcard(path)]


def stamps(paths):
    """Size and time of change of the files that cannot be inputs, to be a parameter instead.

    Snakemake takes `{word}` in a path for a wildcard, and there is no way to escape it.
    """
    return {
        path: [os.stat(path).st_size, os.stat(path).st_mtime_ns]
        for path in paths
        if contains_wildcard(path) and os.path.isfile(path)
    }


# What a grid is made of before its tables; the tables' rules take these as inputs.
POSTS_REPORT = [] if IMPORT else [f"{RESULTS}/posts/report.json"]
ADAPTERS = [] if IMPORT else [adapter_file(*row) for row in GRID.adapters]
PREDICTIONS = [prediction_file(*cell) for cell in GRID.cells]
# What the grid needs of the posts, as an object: Snakemake compares no objects, so it reruns nothing.
NEEDS = needs_of(GRID, EXPERIMENT)
COUNTS = f"{RESULTS}/posts/counts"
CHECKED = [] if IMPORT else [f"{RESULTS}/posts/checked.json"]
TEMPLATES = list(EXPERIMENT.prompt.template) if EXPERIMENT.prompt.language == "native" else ["en"]
ANSWERS = [] if IMPORT else list(map(answers_file, TEMPLATES))
ANSWERS_REPORT = [] if IMPORT else [f"{RESULTS}/answers.json"]
TEST_POSTS = [] if IMPORT else [posts_file(name) for name in GRID.test_languages]
BASELINE_ROWS = [] if IMPORT else GRID.rows
BASELINES = [baseline_file(*row) for row in BASELINE_ROWS]
