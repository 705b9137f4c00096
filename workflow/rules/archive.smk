# The files of the archive, the parts that jobs classify, and the adapter.
from babelgrid.grid import find_row
from babelgrid.posts.paths import name_shards

CLASSIFY = EXPERIMENT.classify
CLASSIFIED = f"{RESULTS}/classified"
DIVIDED = f"{CLASSIFIED}/parts.json"


def archive_files():
    """Return shard name -> file of the archive; empty if a pattern matches nothing."""
    if CLASSIFY is None:
        return {}
    if CLASSIFY.lab is None:
        try:
            return name_shards(CLASSIFY.input)
        except UserError:  # reported by the target `classify`; other targets do not need the archive
            return {}
    numbers = range(CLASSIFY.lab.shards)
    return {f"shard{number}": f"{RESULTS}/archive/shard{number}.csv.gz" for number in numbers}


def classifying_adapter():
    """Return the folder of the classifying adapter (None for the untuned base) and the model's name."""
    if CLASSIFY is None:
        return None, None
    if CLASSIFY.folder:
        return CLASSIFY.folder, Path(CLASSIFY.folder).name
    if CLASSIFY.hub:
        return f"{CLASSIFIED}/adapter", CLASSIFY.hub
    try:
        mixture, seed = find_row(GRID, CLASSIFY.adapter, "classify.adapter")
    except UserError as error:
        raise WorkflowError(str(error)) from None
    if mixture in API_ROWS:
        raise WorkflowError(
            f"classify.adapter: {mixture!r} is an API; an archive is classified by an adapter of the grid, or `none`"
        )
    if mixture not in GRID.own:
        raise WorkflowError(
            f"classify.adapter: {mixture!r} is not an adapter of the base; an archive is classified by an adapter of "
            "the grid, or `none`"
        )
    has_adapter = GRID.mixtures[mixture].has_adapter
    folder = os.path.dirname(FILES.adapter(mixture, seed)) if has_adapter else None
    return folder, f"{EXPERIMENT.experiment}/{mixture}/seed{seed}"


SHARDS = archive_files()
ADAPTER_FOLDER, CLASSIFIER = classifying_adapter()
CLASSIFYING_ADAPTER = [
    os.path.join(ADAPTER_FOLDER, name)
    for name in ("adapter_model.safetensors", "adapter_config.json")
    if ADAPTER_FOLDER
]
# The record of what an adapter of the grid was trained with.
CLASSIFYING_PROVENANCE = []
if ADAPTER_FOLDER and CLASSIFY.adapter:
    CLASSIFYING_PROVENANCE = [os.path.join(ADAPTER_FOLDER, "provenance.json")]


def classified_tables(wildcards):
    """Return the tables of the target; raise an error that explains the block `classify` if it is missing."""
    if CLASSIFY is None:
        raise WorkflowError(
            "classify: nothing to classify. Add a block `classify` with input and adapter to the config "
            "(config/README.md explains it)"
        )
    if not SHARDS:
        try:
            name_shards(CLASSIFY.input)
        except UserError as error:
            raise WorkflowError(str(error)) from None
    return [f"{CLASSIFIED}/files.csv", f"{CLASSIFIED}/languages.csv"]


def parts_of_archive():
    """Return the part of the archive that each job classifies: complete files, or the parts from `divide_archive`."""
    if CLASSIFY.rows_per_job is None:
        return {name: {"shard": name, "first": 0, "rows": None} for name in SHARDS}
    with checkpoints.divide_archive.get().output[0].open(encoding="utf-8") as file:
        return json.load(file)


def part_of_archive(wildcards):
    return parts_of_archive()[wildcards.part]


def shard_of(wildcards):
    """Return the file of the archive that contains a part."""
    return SHARDS[part_of_archive(wildcards)["shard"]]
