# The grid: one adapter for each mixture and seed, its predictions in every test language, and its baselines.
rule finetune:
    input:
        posts=train_posts,
        base=f"{RESULTS}/base.json",
        answers=answers_of_mixture,
    output:
        weights=f"{RESULTS}/adapters/{{mixture}}/seed{{seed}}/adapter_model.safetensors",
        config=f"{RESULTS}/adapters/{{mixture}}/seed{{seed}}/adapter_config.json",
        curve=f"{RESULTS}/adapters/{{mixture}}/seed{{seed}}/training.csv",
        provenance=f"{RESULTS}/adapters/{{mixture}}/seed{{seed}}/provenance.json",
        usage=usage_file("finetune/{mixture}/seed{seed}"),
    log:
        f"{RESULTS}/logs/finetune/{{mixture}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/finetune/{{mixture}}/seed{{seed}}.tsv"
    conda:
        "../../envs/babelgrid.yaml"
    threads: MODEL_THREADS
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


# One job scores an adapter in all test languages, or one job scores each cell.
if EXPERIMENT.predict.per_cell:
    PREDICT_JOB = "{mixture}/seed{seed}/{language}"
    PREDICTED_LANGUAGES = ["{language}"]
else:
    PREDICT_JOB = "{mixture}/seed{seed}"
    PREDICTED_LANGUAGES = list(GRID.test_languages)


rule predict:
    input:
        posts=lambda wildcards: posts_of(expand(PREDICTED_LANGUAGES, **wildcards)),
        adapter=adapter_to_score,
        base=f"{RESULTS}/base.json",
        answers=list(map(answers_file, templates_of(PREDICTED_LANGUAGES))),
    output:
        predictions=[
            ensure(prediction_file("{mixture}", "{seed}", language), non_empty=True)
            for language in PREDICTED_LANGUAGES
        ],
        usage=usage_file(f"predict/{PREDICT_JOB}"),
    log:
        f"{RESULTS}/logs/predict/{PREDICT_JOB}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict/{PREDICT_JOB}.tsv"
    wildcard_constraints:
        mixture=row_pattern(name for name in GRID.mixtures if name not in API_ROWS),
    conda:
        "../../envs/babelgrid.yaml"
    threads: MODEL_THREADS
    resources:
        **MODEL_RESOURCES,
    params:
        code=code("predict"),
        settings={
            **settings("base", "prompt", "predict"),
            "labels": label_settings(EXPERIMENT.labels),
        },
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
        ensure(f"{RESULTS}/baselines/{{mixture}}/seed{{seed}}.parquet", non_empty=True),
    log:
        f"{RESULTS}/logs/fit_baselines/{{mixture}}/seed{{seed}}.log",
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
