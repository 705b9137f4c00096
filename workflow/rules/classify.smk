# Classify an archive of any size with one adapter: one job for each file or part of a file.
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
    is_trained = GRID.mixtures[mixture].is_trained
    folder = os.path.dirname(adapter_file(mixture, seed)) if is_trained else None
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


rule classify:
    input:
        classified_tables,
    localrule: True


if CLASSIFY:

    rule prefetch_adapter:
        output:
            weights=f"{CLASSIFIED}/adapter/adapter_model.safetensors",
            config=f"{CLASSIFIED}/adapter/adapter_config.json",
        log:
            f"{RESULTS}/logs/prefetch_adapter.log",
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("prefetch_adapter"),
            hub=CLASSIFY.hub,
            revision=CLASSIFY.revision,
        script:
            "../scripts/prefetch_adapter.py"

    checkpoint divide_archive:
        input:
            named(SHARDS.values()),
        output:
            DIVIDED,
        log:
            f"{RESULTS}/logs/divide_archive.log",
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("divide_archive"),
            shards=SHARDS,
            stamps=stamps(SHARDS.values()),
            rows_per_job=CLASSIFY.rows_per_job,
        script:
            "../scripts/divide_archive.py"

    rule classify_posts:
        input:
            archive=lambda wildcards: named([shard_of(wildcards)]),
            adapter=named(CLASSIFYING_ADAPTER),
            provenance=CLASSIFYING_PROVENANCE,
            base=f"{RESULTS}/base.json",
            answers=ANSWERS,
        output:
            posts=f"{CLASSIFIED}/posts/{{part}}.parquet",
            rejected=f"{CLASSIFIED}/rejected/{{part}}.csv",
            counts=f"{CLASSIFIED}/counts/{{part}}.json",
            usage=usage_file("classify_posts/{part}"),
        log:
            f"{RESULTS}/logs/classify_posts/{{part}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/classify_posts/{{part}}.tsv"
        wildcard_constraints:
            part="[^/]+",
        conda:
            "../../envs/babelgrid.yaml"
        # One extra thread reads, cleans and tokenises ahead of the scoring threads.
        threads: MODEL_THREADS + 1
        resources:
            **MODEL_RESOURCES,
        params:
            code=code("classify_posts"),
            settings={
                **settings("base", "prompt", "predict"),
                "labels": answers_of_labels(),
                "classify": CLASSIFY.of_one_job().model_dump(mode="json"),
            },
            aliases=EXPERIMENT.languages.aliases,
            part=part_of_archive,
            archive=lambda wildcards: shard_of(wildcards),
            adapter=lambda wildcards: ADAPTER_FOLDER,
            stamps=lambda wildcards: stamps([shard_of(wildcards), *CLASSIFYING_ADAPTER]),
            model=lambda wildcards: CLASSIFIER,
            kept=f"{RESULTS}/checkpoints/.classify_posts/{{part}}",
        script:
            "../scripts/classify_posts.py"

    rule count_classified:
        input:
            posts=lambda wildcards: expand(f"{CLASSIFIED}/posts/{{part}}.parquet", part=parts_of_archive()),
            counts=lambda wildcards: expand(f"{CLASSIFIED}/counts/{{part}}.json", part=parts_of_archive()),
        output:
            files=f"{CLASSIFIED}/files.csv",
            languages=f"{CLASSIFIED}/languages.csv",
        log:
            f"{RESULTS}/logs/count_classified.log",
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("count_classified"),
            labels=list(EXPERIMENT.labels),
        script:
            "../scripts/count_classified.py"
