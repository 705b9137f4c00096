# Rows of other systems, which learn from the same posts as the adapters and answer the same test posts.
include: "systems.smk"


# The lab's encoder reads the stream of the lab's base.
if LAB_BASE:

    rule pretrain_encoder:
        input:
            lexicons=LEXICONS,
        output:
            encoder=directory(f"{RESULTS}/encoder"),
            usage=FILES.usage("pretrain_encoder"),
        log:
            FILES.log("pretrain_encoder"),
        benchmark:
            FILES.benchmark("pretrain_encoder")
        # Before the other jobs: once one of them runs, two cores are hardly ever free at the same time.
        priority: 100
        conda:
            "../../envs/babelgrid.yaml"
        threads: 2
        resources:
            energy=int(EXPERIMENT.machine.energy),
        params:
            code=code("pretrain_encoder"),
            lab=settings("base")["base"]["lab"],
            seed=EXPERIMENT.seed,
        script:
            "../scripts/pretrain_encoder.py"


rule prefetch_encoder:
    input:
        lab=lambda wildcards: [f"{RESULTS}/encoder"] if RIVAL_SETTINGS[wildcards.system]["lab"] else [],
        folder=lambda wildcards: trackable(encoder_files(wildcards.system)),
    output:
        f"{RESULTS}/{{system}}.json",
    log:
        FILES.log("prefetch_encoder/{system}"),
    wildcard_constraints:
        system=row_pattern(ENCODER_SYSTEMS),
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
    threads: model_threads
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
