# Release adapters: the adapter, merged weights, a model card, and a check that they reproduce the grid's labels.
include: "released.smk"


rule release:
    input:
        released_folders,
    localrule: True


# List what `push` would upload. This creates no file and makes no request.
rule push_list:
    input:
        folders=pushed_folders,
        base=f"{RESULTS}/base.json",
    log:
        FILES.log("push_list"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        settings=settings("base", "release"),
        experiment=EXPERIMENT.experiment,
        rows=lambda wildcards: [list(row) for row in pushed_rows()],
    script:
        "../scripts/push_list.py"


rule push:
    input:
        pushed_records,
    localrule: True


if RELEASE:

    rule release_adapter:
        input:
            adapter=adapter_to_score,
            provenance=lambda wildcards: FILES.adapter(wildcards.mixture, wildcards.seed, "provenance.json"),
            base=f"{RESULTS}/base.json",
            cells=f"{RESULTS}/tables/cells.csv",
            trained=train_posts,
            posts=lambda wildcards: posts_of(GRID.test_languages),
            predictions=lambda wildcards: [
                FILES.predictions(wildcards.mixture, wildcards.seed, language) for language in GRID.test_languages
            ],
        output:
            directory(f"{RESULTS}/release/{{mixture}}/seed{{seed}}"),
        log:
            FILES.log("release_adapter/{mixture}/seed{seed}"),
        benchmark:
            FILES.benchmark("release_adapter/{mixture}/seed{seed}")
        conda:
            "../../envs/babelgrid.yaml"
        threads: model_threads
        resources:
            # Estimate: the base is dequantised and merged in float32 in host memory, then copied to bfloat16.
            **{
                **MODEL_RESOURCES,
                "mem_mb": lambda wildcards, attempt: 2 * attempt * model_mb(),
            },
        params:
            code=code("release_adapter"),
            settings={**settings("base", "prompt"), "labels": label_settings(EXPERIMENT.labels)},
            release=release_settings,
            experiment=EXPERIMENT.experiment,
            # Outside the release folder, which exists only if the check passed.
            parity=f"{RESULTS}/logs/release_adapter/{{mixture}}/seed{{seed}}.parity.json",
        script:
            "../scripts/release_adapter.py"

    rule push_adapter:
        input:
            folder=f"{RESULTS}/release/{{mixture}}/seed{{seed}}",
            base=f"{RESULTS}/base.json",
        output:
            f"{RESULTS}/pushed/{{mixture}}/seed{{seed}}.json",
        log:
            FILES.log("push_adapter/{mixture}/seed{seed}"),
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("push_adapter"),
            settings=settings("base"),
            release=push_settings,
            experiment=EXPERIMENT.experiment,
        script:
            "../scripts/push_adapter.py"
