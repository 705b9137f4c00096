# Classify an archive of any size with one adapter: one job for each file or part of a file.
include: "archive.smk"


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
            FILES.log("prefetch_adapter"),
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
            trackable(SHARDS.values()),
        output:
            DIVIDED,
        log:
            FILES.log("divide_archive"),
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
            archive=lambda wildcards: trackable([shard_of(wildcards)]),
            adapter=trackable(CLASSIFYING_ADAPTER),
            provenance=CLASSIFYING_PROVENANCE,
            base=f"{RESULTS}/base.json",
            answers=ANSWERS,
        output:
            posts=f"{CLASSIFIED}/posts/{{part}}.parquet",
            rejected=f"{CLASSIFIED}/rejected/{{part}}.csv",
            counts=f"{CLASSIFIED}/counts/{{part}}.json",
            usage=FILES.usage("classify_posts/{part}"),
        log:
            FILES.log("classify_posts/{part}"),
        benchmark:
            FILES.benchmark("classify_posts/{part}")
        wildcard_constraints:
            part="[^/]+",
        conda:
            "../../envs/babelgrid.yaml"
        # One extra thread reads, cleans and tokenises ahead of the scoring threads.
        threads: lambda wildcards: model_threads(wildcards) + 1
        resources:
            **MODEL_RESOURCES,
        params:
            code=code("classify_posts"),
            settings={
                **settings("base", "prompt", "predict"),
                "labels": label_settings(EXPERIMENT.labels),
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
            FILES.log("count_classified"),
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("count_classified"),
            labels=list(EXPERIMENT.labels),
        script:
            "../scripts/count_classified.py"
