# The number of calls of API rows, and what they may cost.
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
