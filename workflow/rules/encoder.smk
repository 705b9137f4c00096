# Encoders, fine-tuned on the posts of each mixture and seed.
ENCODER = EXPERIMENT.rivals.encoder if EXPERIMENT.rivals else None


rule train_encoder:
    input:
        posts=train_posts,
        encoder=f"{RESULTS}/encoder.json",
    output:
        trained=FILES.rival("{mixture}", "{seed}", TRAINED["encoder"]),
        curve=FILES.rival("{mixture}", "{seed}", "training.csv"),
        provenance=FILES.rival("{mixture}", "{seed}", "provenance.json"),
        usage=FILES.usage("train_encoder/{mixture}/seed{seed}"),
    log:
        FILES.log("train_encoder/{mixture}/seed{seed}"),
    benchmark:
        FILES.benchmark("train_encoder/{mixture}/seed{seed}")
    wildcard_constraints:
        mixture=names_of("encoder"),
    conda:
        "../../envs/babelgrid.yaml"
    threads: model_threads
    resources:
        **rival_resources("encoder"),
    params:
        code=code("train_encoder"),
        settings=rival_settings("encoder"),
        # An object, which Snakemake does not compare. The keys that change a result are in `settings`.
        encoder=ENCODER,
        labels=list(EXPERIMENT.labels),
        mixture=lambda wildcards: mixture_settings(wildcards.mixture),
        budget=EXPERIMENT.mixtures.posts,
        counts=COUNTS,
        needs=NEEDS,
    script:
        "../scripts/train_encoder.py"


rule predict_encoder:
    input:
        trained=FILES.rival("{mixture}", "{seed}", TRAINED["encoder"]),
        encoder=f"{RESULTS}/encoder.json",
        posts=lambda wildcards: posts_of(GRID.test_languages),
    output:
        predictions=[
            ensure(FILES.predictions("{mixture}", "{seed}", language), non_empty=True)
            for language in GRID.test_languages
        ],
        usage=FILES.usage("predict_encoder/{mixture}/seed{seed}"),
    log:
        FILES.log("predict_encoder/{mixture}/seed{seed}"),
    benchmark:
        FILES.benchmark("predict_encoder/{mixture}/seed{seed}")
    wildcard_constraints:
        mixture=names_of("encoder"),
    conda:
        "../../envs/babelgrid.yaml"
    threads: model_threads
    resources:
        **rival_resources("encoder"),
    params:
        code=code("predict_encoder"),
        settings=rival_settings("encoder"),
        # An object, which Snakemake does not compare. The keys that change a result are in `settings`.
        encoder=ENCODER,
        labels=list(EXPERIMENT.labels),
    script:
        "../scripts/predict_encoder.py"
