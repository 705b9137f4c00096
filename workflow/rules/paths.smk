# Paths of results, and of the user's files that jobs read.

from snakemake.io import contains_wildcard

from babelgrid.posts.paths import files_within, find_files


def source_files():
    """Return the user's posts files that exist; the script reports missing ones."""
    if EXPERIMENT.posts.dataset:
        return list(map(str, files_within(EXPERIMENT.posts.dataset.name)))
    return existing_files(EXPERIMENT.posts.files or [])


def base_files():
    """Return the files of a base in a local folder."""
    if EXPERIMENT.base.folder is None:
        return []
    folder = Path(EXPERIMENT.base.folder).expanduser()
    return sorted(
        str(path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.is_file() and not path.name.startswith(".")
    )


def gguf_files():
    """Return the local GGUF file of the base if it exists; the script reports a missing one."""
    base = EXPERIMENT.base
    if base.gguf is None or base.is_gguf_on_hub:
        return []
    path = str(Path(base.gguf).expanduser())
    return [path] if os.path.isfile(path) else []


def price_files():
    """Return the user's own price list, if there is one."""
    return [EXPERIMENT.cost.prices] if EXPERIMENT.cost.prices else []


def share_files():
    """Return the user's own share tables; the others are part of babelgrid."""
    return [table for table in EXPERIMENT.exposure.tables if os.path.isfile(table)]


def existing_files(patterns):
    """Return the files that match the patterns; the script reports patterns without a match."""
    found = []
    for pattern in patterns:
        try:
            found += find_files([pattern])
        except UserError:
            continue
    return sorted({str(file.path) for file in found})


def trackable(paths):
    """Return the paths that can be inputs of a rule; `stamps` handles the others."""
    return [path for path in paths if not contains_wildcard(path)]


def stamps(paths):
    """Return size and modification time of the files that cannot be inputs, to be used as a parameter.

    Snakemake reads `{word}` in a path as a wildcard, and offers no way to escape it.
    """
    return {
        path: [os.stat(path).st_size, os.stat(path).st_mtime_ns]
        for path in paths
        if contains_wildcard(path) and os.path.isfile(path)
    }


# Files of the grid that the rules of tables take as inputs.
POSTS_REPORT = [] if IMPORT else [f"{RESULTS}/posts/report.json"]
ADAPTERS = [] if IMPORT else [FILES.adapter(*row) for row in [*GRID.adapters, *GRID.merged]]
PREDICTIONS = [FILES.predictions(*cell) for cell in GRID.cells]
ENCODERS = [f"{RESULTS}/{system}.json" for system in (EXPERIMENT.rivals.encoders if EXPERIMENT.rivals else [])]
# The posts that the grid needs, as an object: Snakemake does not compare objects, so changes rerun nothing.
NEEDS = needs_of(GRID, EXPERIMENT)
COUNTS = f"{RESULTS}/posts/counts"
CHECKED = [] if IMPORT else [f"{RESULTS}/posts/checked.json"]
TEMPLATES = list(EXPERIMENT.prompt.template) if EXPERIMENT.prompt.language == "native" else ["en"]
ANSWERS = [] if IMPORT else list(map(FILES.answers, TEMPLATES))
ANSWERS_REPORT = [] if IMPORT else [f"{RESULTS}/answers.json"]
TEST_POSTS = [] if IMPORT else [FILES.posts(name) for name in GRID.test_languages]
BASELINE_ROWS = [] if IMPORT else [row for row in GRID.rows if row[0] in GRID.own]
BASELINES = [FILES.baselines(*row) for row in BASELINE_ROWS]
