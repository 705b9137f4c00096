# What the rows of an API take.
import pyarrow.parquet as pq

ASKED = EXPERIMENT.api.what_is_asked if EXPERIMENT.api else {}


def what_it_may_cost():
    """For `snakemake -n`, before a call is made."""
    if EXPERIMENT.api is None:
        return ""
    model = EXPERIMENT.api.model.replace("{", "{{").replace("}", "}}")
    return (
        f"{{wildcards.mixture}}: {{resources.calls}} calls of {model}, one for each test post; all rows and runs together "
        f"within {EXPERIMENT.api.budget:g} dollars (api.budget). `snakemake estimate` says how many dollars it would take"
    )


def number_of_calls(wildcards, input):
    """One for each test post; Snakemake shows <TBD> while there are no posts to count."""
    calls = 0
    for path in input.posts:
        with open(path, "rb") as stream:
            splits = pq.read_table(stream, columns=["split"])["split"]
        calls += splits.to_pylist().count("test")
    return calls
