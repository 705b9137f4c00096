# The grid: one adapter for each mixture and seed, its predictions in every test language, and its baselines.
rule finetune:
    input:
        posts=train_posts,
        base=f"{RESULTS}/base.json",
        answers=answers_of_mixture,
    output:
        weights=FILES.adapter("{mixture}", "{seed}"),
        config=FILES.adapter("{mixture}", "{seed}", "adapter_config.json"),
        curve=FILES.adapter("{mixture}", "{seed}", "training.csv"),
        provenance=FILES.adapter("{mixture}", "{seed}", "provenance.json"),
        usage=FILES.usage("finetune/{mixture}/seed{seed}"),
    log:
        FILES.log("finetune/{mixture}/seed{seed}"),
    benchmark:
        FILES.benchmark("finetune/{mixture}/seed{seed}")
    wildcard_constraints:
        mixture=row_pattern(name for name, own in GRID.mixtures.items() if own.is_trained),
    conda:
        "../../envs/babelgrid.yaml"
    threads: model_threads
    resources:
        **MODEL_RESOURCES,
    params:
        code=code("finetune"),
        settings=training_settings,
        # An object, which Snakemake does not compare. The keys that change an adapter are in `settings`.
        finetune=EXPERIMENT.finetune,
        mixture=lambda wildcards: mixture_settings(wildcards.mixture),
        budget=EXPERIMENT.mixtures.posts,
        counts=COUNTS,
        needs=NEEDS,
        checkpoints=f"{RESULTS}/checkpoints/{{mixture}}/seed{{seed}}",
        trackers=f"{RESULTS}/trackers/{{mixture}}/seed{{seed}}",
    script:
        "../scripts/finetune.py"


# The adapter of a merged row is made from other adapters on the CPU, without loading the base.
rule merge_adapters:
    input:
        parents=adapters_to_merge,
        configs=lambda wildcards: adapters_to_merge(wildcards, "adapter_config.json"),
        base=f"{RESULTS}/base.json",
    output:
        weights=FILES.adapter("{mixture}", "{seed}"),
        config=FILES.adapter("{mixture}", "{seed}", "adapter_config.json"),
        provenance=FILES.adapter("{mixture}", "{seed}", "provenance.json"),
    log:
        FILES.log("merge_adapters/{mixture}/seed{seed}"),
    benchmark:
        FILES.benchmark("merge_adapters/{mixture}/seed{seed}")
    wildcard_constraints:
        mixture=row_pattern(name for name, own in GRID.mixtures.items() if own.merge),
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("merge_adapters"),
        settings=training_settings,
        mixture=lambda wildcards: mixture_settings(wildcards.mixture),
        budget=EXPERIMENT.mixtures.posts,
    script:
        "../scripts/merge_adapters.py"


# One job scores an adapter in all test languages, or one job scores each cell.
if EXPERIMENT.predict.per_cell:
    PREDICT_JOB = "{mixture}/seed{seed}/{language}"
    PREDICTED_LANGUAGES = ["{language}"]
else:
    PREDICT_JOB = "{mixture}/seed{seed}"
    PREDICTED_LANGUAGES = list(GRID.test_languages)


rule predict:
    input:
        posts=posts_to_score,
        adapter=adapter_to_score,
        base=f"{RESULTS}/base.json",
        answers=answers_to_score,
    output:
        predictions=[
            ensure(FILES.predictions("{mixture}", "{seed}", language), non_empty=True)
            for language in PREDICTED_LANGUAGES
        ],
        usage=FILES.usage(f"predict/{PREDICT_JOB}"),
    log:
        FILES.log(f"predict/{PREDICT_JOB}"),
    benchmark:
        FILES.benchmark(f"predict/{PREDICT_JOB}")
    wildcard_constraints:
        mixture=row_pattern([*NAMES_OF_BASE, *TRANSLATED_NAMES]),
    conda:
        "../../envs/babelgrid.yaml"
    threads: model_threads
    resources:
        **MODEL_RESOURCES,
    params:
        code=code("predict"),
        settings=scoring_settings,
        counts=COUNTS,
        needs=NEEDS,
        kept=f"{RESULTS}/checkpoints/.predict/{PREDICT_JOB}",
    script:
        "../scripts/predict.py"


rule fit_baselines:
    input:
        train=baseline_posts,
        test=lambda wildcards: posts_of(GRID.test_languages),
    output:
        ensure(FILES.baselines("{mixture}", "{seed}"), non_empty=True),
    log:
        FILES.log("fit_baselines/{mixture}/seed{seed}"),
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("fit_baselines"),
        labels=list(EXPERIMENT.labels),
        mixture=lambda wildcards: mixture_settings(wildcards.mixture),
        budget=EXPERIMENT.mixtures.posts,
        counts=COUNTS,
        needs=NEEDS,
    script:
        "../scripts/fit_baselines.py"
