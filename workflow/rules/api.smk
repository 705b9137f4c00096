# Rows of the grid that an OpenAI-compatible endpoint answers. They need no GPU, and run on the host of Snakemake, since
# compute nodes have no network.
import pyarrow.parquet as pq
from snakemake.common.tbdstring import TBDString

ASKED = EXPERIMENT.api.what_is_asked if EXPERIMENT.api else {}


def what_it_may_cost():
    """Return the message that `snakemake -n` shows before any call is made."""
    if EXPERIMENT.api is None:
        return ""
    model = EXPERIMENT.api.model.replace("{", "{{").replace("}", "}}")
    return (
        f"{{wildcards.mixture}}: {{resources.calls}} calls of {model}, one for each test post. "
        f"Budget of all runs: {EXPERIMENT.api.budget:g} dollars (api.budget). See `snakemake estimate` for costs"
    )


def number_of_calls(wildcards, input):
    """Return the number of test posts; Snakemake shows <TBD> until the posts have been counted."""
    if isinstance(input.posts, str):
        return TBDString()
    calls = 0
    for path in input.posts:
        with open(path, "rb") as stream:
            splits = pq.read_table(stream, columns=["split"])["split"]
        calls += splits.to_pylist().count("test")
    return calls


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
    # `status` expects the log of a row's predictions here.
    log:
        f"{RESULTS}/logs/predict/{{mixture}}/seed{{seed}}.log",
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
