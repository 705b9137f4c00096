# A row of the grid that an OpenAI-compatible endpoint answers: no GPU, and where Snakemake runs, as nodes have no network.
include: "asked.smk"


localrules:
    ask_api,


rule ask_api:
    input:
        posts=lambda wildcards: posts_of(GRID.test_languages),
        train=lambda wildcards: posts_of(EXPERIMENT.languages.train),
        prices=named(price_files()),
    output:
        predictions=[
            ensure(prediction_file("{mixture}", "{seed}", language), non_empty=True)
            for language in GRID.test_languages
        ],
        details=f"{RESULTS}/api/{{mixture}}/seed{{seed}}.json",
        usage=usage_file("predict/{mixture}/seed{seed}"),
    # Where `status` looks for the log of a row's predictions.
    log:
        f"{RESULTS}/logs/predict/{{mixture}}/seed{{seed}}.log",
    wildcard_constraints:
        mixture=row_pattern(API_ROWS),
    conda:
        "../../envs/babelgrid.yaml"
    resources:
        calls=number_of_calls,
    params:
        code=code("ask_api"),
        # The rest of the block changes how an endpoint is asked and no answer: the script takes it from the config.
        settings={**settings("prompt", "labels"), "api": ASKED},
        shots=lambda wildcards: API_ROWS[wildcards.mixture],
        train=list(EXPERIMENT.languages.train),
        ledger=f"{RESULTS}/api/ledger.sqlite",
        seed=EXPERIMENT.seed,
        stamps=stamps(price_files()),
    message:
        what_it_may_cost()
    script:
        "../scripts/ask_api.py"
