# The grid: one adapter for each (mixture, seed), its predictions on every test language, and its baselines.


def training_settings(wildcards):
    """What an adapter depends on: of the prompt, only the templates that its own posts meet."""
    blocks = settings("base", "prompt", "labels", "finetune")
    template = blocks["prompt"]["template"]
    if isinstance(template, dict):
        is_native = EXPERIMENT.prompt.language == "native"
        languages = (
            GRID.mixtures[wildcards.mixture].all_languages if is_native else ["en"]
        )
        blocks["prompt"]["template"] = {
            language: template[language] for language in languages
        }
    return blocks


rule finetune:
    input:
        code=code("finetune"),
        posts=train_posts,
        base=f"{RESULTS}/base.json",
        # Both must have passed before the first adapter is trained, and neither changes what it learns.
        checks=ancient([f"{RESULTS}/posts/checked.json", f"{RESULTS}/answers.json"]),
    output:
        weights=f"{RESULTS}/adapters/{{mixture}}/seed{{seed}}/adapter_model.safetensors",
        config=f"{RESULTS}/adapters/{{mixture}}/seed{{seed}}/adapter_config.json",
        curve=f"{RESULTS}/adapters/{{mixture}}/seed{{seed}}/training.csv",
        provenance=f"{RESULTS}/adapters/{{mixture}}/seed{{seed}}/provenance.json",
    log:
        f"{RESULTS}/logs/finetune/{{mixture}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/finetune/{{mixture}}/seed{{seed}}.tsv"
    conda:
        "../../envs/babelgrid.yaml"
    threads: MODEL_THREADS
    resources:
        gpu=int(USES_GPU),
    params:
        settings=training_settings,
        mixture=lambda wildcards: mixture_settings(wildcards.mixture),
        budget=EXPERIMENT.mixtures.posts,
        checkpoints=f"{RESULTS}/checkpoints/{{mixture}}/seed{{seed}}",
    script:
        "../scripts/finetune.py"


def adapter_to_score(wildcards):
    """The adapter of a row; the untuned base has none."""
    if not GRID.mixtures[wildcards.mixture].is_trained:
        return []
    return adapter_file(wildcards.mixture, wildcards.seed)


if EXPERIMENT.predict.per_cell:
    predicted_languages = ["{language}"]
else:
    predicted_languages = list(GRID.test_languages)


rule predict:
    input:
        code=code("predict"),
        posts=[posts_file(language) for language in predicted_languages],
        adapter=adapter_to_score,
        base=f"{RESULTS}/base.json",
        checks=ancient([f"{RESULTS}/posts/checked.json", f"{RESULTS}/answers.json"]),
    output:
        [
            ensure(prediction_file("{mixture}", "{seed}", language), non_empty=True)
            for language in predicted_languages
        ],
    log:
        f"{RESULTS}/logs/predict/{{mixture}}/seed{{seed}}{'/{language}' * EXPERIMENT.predict.per_cell}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict/{{mixture}}/seed{{seed}}{'/{language}' * EXPERIMENT.predict.per_cell}.tsv"
    conda:
        "../../envs/babelgrid.yaml"
    threads: MODEL_THREADS
    resources:
        gpu=int(USES_GPU),
    params:
        settings=settings("base", "prompt", "labels", "predict"),
    script:
        "../scripts/predict.py"


def baseline_posts(wildcards):
    """The posts that a row's baselines learn from: its mixture's; for the untuned base, those of all train languages."""
    mixture = GRID.mixtures[wildcards.mixture]
    return [
        posts_file(language)
        for language in mixture.all_languages or EXPERIMENT.languages.train
    ]


rule fit_baselines:
    input:
        code=code("fit_baselines"),
        train=baseline_posts,
        test=[posts_file(language) for language in GRID.test_languages],
        checks=ancient(f"{RESULTS}/posts/checked.json"),
    output:
        ensure(f"{RESULTS}/baselines/{{mixture}}/seed{{seed}}.parquet", non_empty=True),
    log:
        f"{RESULTS}/logs/fit_baselines/{{mixture}}/seed{{seed}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        labels=list(EXPERIMENT.labels),
        mixture=lambda wildcards: mixture_settings(wildcards.mixture),
        budget=EXPERIMENT.mixtures.posts,
    script:
        "../scripts/fit_baselines.py"
