# Rows of the grid that an OpenAI-compatible endpoint answers. They need no GPU, and run on the host of Snakemake, since
# compute nodes have no network.
include: "asked.smk"


rule ask_api:
    input:
        posts=lambda wildcards: posts_of(GRID.test_languages),
        train=lambda wildcards: posts_of(EXPERIMENT.languages.train),
        prices=trackable(price_files()),
    output:
        predictions=[
            ensure(FILES.predictions("{mixture}", "{seed}", language), non_empty=True)
            for language in GRID.test_languages
        ],
        details=f"{RESULTS}/api/{{mixture}}/seed{{seed}}.json",
        usage=FILES.usage("predict/{mixture}/seed{seed}"),
    # `status` expects the log of a row's predictions here.
    log:
        FILES.log("predict/{mixture}/seed{seed}"),
    wildcard_constraints:
        mixture=row_pattern(API_ROWS),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    resources:
        calls=number_of_calls,
    params:
        code=code("ask_api"),
        settings={**settings("prompt", "labels"), "api": ASKED},
        # An object, which Snakemake does not compare. The keys that change an answer are in `settings`.
        api=EXPERIMENT.api,
        prices=EXPERIMENT.cost.prices,
        shots=lambda wildcards: API_ROWS[wildcards.mixture],
        train=list(EXPERIMENT.languages.train),
        ledger=f"{RESULTS}/api/ledger.sqlite",
        seed=EXPERIMENT.seed,
        counts=COUNTS,
        needs=NEEDS,
        stamps=stamps(price_files()),
    message:
        what_it_may_cost()
    script:
        "../scripts/ask_api.py"
