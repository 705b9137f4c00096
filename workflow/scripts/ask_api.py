from pathlib import Path

from babelgrid.api.ask import Endpoint
from babelgrid.api.ledger import Ledger
from babelgrid.api.row import PromptSpec, ask_row
from babelgrid.config.prompt import Prompt, read_labels
from babelgrid.cost.prices import price_of, read_prices
from babelgrid.posts.check import check_counts
from babelgrid.runtime.job import job
from babelgrid.runtime.usage import measured

with job(snakemake.log[0]), measured(snakemake.output.usage) as usage:
    check_counts(Path(snakemake.params.counts), snakemake.params.needs)
    blocks = snakemake.params.settings
    labels = read_labels(blocks["labels"])
    api = snakemake.params.api
    price = price_of(api.model, api.base_url, api.dollars_per_million, read_prices(snakemake.params.prices))
    train = dict(zip(snakemake.params.train, map(Path, snakemake.input.train), strict=True))
    ask_row(
        Endpoint(api, price, labels, Ledger(Path(snakemake.params.ledger), api.budget), snakemake.params.seed),
        PromptSpec(Prompt(**blocks["prompt"]), labels, snakemake.params.shots, train, api.examples),
        {Path(path).stem: Path(path) for path in snakemake.input.posts},
        {Path(path).stem: Path(path) for path in snakemake.output.predictions},
        Path(snakemake.output.details),
        usage,
    )
