# Rows of other systems, which learn from the same posts as the adapters and answer the same test posts.
from babelgrid.config.rivals import PLACE_KEYS
from babelgrid.mixture import RIVALS
from babelgrid.resources import encoder_memory_mb
from babelgrid.results_layout import TRAINED

RIVAL_SETTINGS = settings("rivals")["rivals"] or {}


def rival_resources(system):
    """Return the resources of the jobs that run a rival's encoder."""
    encoder = getattr(EXPERIMENT.rivals, system, None)
    megabytes = encoder_memory_mb(encoder) if encoder else 0
    return {**MODEL_RESOURCES, "mem_mb": lambda wildcards, attempt: attempt * megabytes}


def rows_of(system):
    """Return the (row, seed) of one rival."""
    return [row for row in GRID.rivals if GRID.mixtures[row[0]].system == system]


def names_of(system):
    """Return a wildcard constraint for the rows of one rival."""
    return row_pattern(dict.fromkeys(name for name, _ in rows_of(system)))


def encoder_files(system):
    """Return the files of a rival's encoder in a local folder, with those of its folders of sentence-transformers."""
    folder = (RIVAL_SETTINGS.get(system) or {}).get("folder")
    if folder is None:
        return []
    place = Path(folder).expanduser()
    found = [*place.glob("[!.]*"), *place.glob("[!.]*/config.json")] if place.is_dir() else []
    return sorted(str(path) for path in found if path.is_file())


def rival_settings(system):
    """Return the settings that a rival's results depend on; its files are recorded by their checksums."""
    own = RIVAL_SETTINGS.get(system) or {}
    return {key: value for key, value in own.items() if key not in PLACE_KEYS}


def embeddings_of_mixture(wildcards):
    """Return the embeddings of the train posts of a row's languages."""
    return [FILES.embeddings(name, "train") for name in GRID.mixtures[wildcards.mixture].all_languages]


rule prefetch_encoder:
    input:
        folder=lambda wildcards: trackable(encoder_files(wildcards.system)),
    output:
        f"{RESULTS}/{{system}}.json",
    log:
        FILES.log("prefetch_encoder/{system}"),
    wildcard_constraints:
        system=row_pattern(RIVALS),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("prefetch_encoder"),
        place=lambda wildcards: {key: RIVAL_SETTINGS[wildcards.system][key] for key in PLACE_KEYS},
        stamps=lambda wildcards: stamps(encoder_files(wildcards.system)),
    script:
        "../scripts/prefetch_encoder.py"


# Once for each language and part: a new mixture needs no forward pass.
rule embed_posts:
    input:
        posts=lambda wildcards: posts_of([wildcards.language]),
        encoder=f"{RESULTS}/embedding.json",
    output:
        embeddings=ensure(FILES.embeddings("{language}", "{part}"), non_empty=True),
        usage=FILES.usage("embed_posts/{language}/{part}"),
    log:
        FILES.log("embed_posts/{language}/{part}"),
    benchmark:
        FILES.benchmark("embed_posts/{language}/{part}")
    wildcard_constraints:
        part="train|test",
    conda:
        "../../envs/babelgrid.yaml"
    threads: MODEL_THREADS
    resources:
        **rival_resources("embedding"),
    params:
        code=code("embed_posts"),
        settings=rival_settings("embedding"),
    script:
        "../scripts/embed_posts.py"


rule train_embedding:
    input:
        posts=train_posts,
        embeddings=embeddings_of_mixture,
    output:
        classifier=ensure(FILES.rival("{mixture}", "{seed}", TRAINED["embedding"]), non_empty=True),
        usage=FILES.usage("train_embedding/{mixture}/seed{seed}"),
    log:
        FILES.log("train_embedding/{mixture}/seed{seed}"),
    benchmark:
        FILES.benchmark("train_embedding/{mixture}/seed{seed}")
    wildcard_constraints:
        mixture=names_of("embedding"),
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("train_embedding"),
        labels=list(EXPERIMENT.labels),
        mixture=lambda wildcards: mixture_settings(wildcards.mixture),
        budget=EXPERIMENT.mixtures.posts,
        counts=COUNTS,
        needs=NEEDS,
    script:
        "../scripts/train_embedding.py"


rule predict_embedding:
    input:
        classifier=FILES.rival("{mixture}", "{seed}", TRAINED["embedding"]),
        embeddings=[FILES.embeddings(language, "test") for language in GRID.test_languages],
    output:
        predictions=[
            ensure(FILES.predictions("{mixture}", "{seed}", language), non_empty=True)
            for language in GRID.test_languages
        ],
        usage=FILES.usage("predict_embedding/{mixture}/seed{seed}"),
    log:
        FILES.log("predict_embedding/{mixture}/seed{seed}"),
    benchmark:
        FILES.benchmark("predict_embedding/{mixture}/seed{seed}")
    wildcard_constraints:
        mixture=names_of("embedding"),
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("predict_embedding"),
        labels=list(EXPERIMENT.labels),
        languages=list(GRID.test_languages),
        settings=rival_settings("embedding"),
    script:
        "../scripts/predict_embedding.py"


include: "encoder.smk"
