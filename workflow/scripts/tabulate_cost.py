from pathlib import Path

from babelgrid.config.cost import Cost
from babelgrid.cost.prices import read_prices
from babelgrid.cost.tables import Assumptions, chosen_prices, tabulate_cost
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    cost = Cost(**snakemake.params.settings["cost"])
    tabulate_cost(
        snakemake.params.predicted,
        snakemake.params.trained,
        snakemake.params.asked,
        Assumptions(
            snakemake.params.dollars_per_hour,
            cost.dollars_per_kwh,
            cost.watts,
            chosen_prices(cost.references, read_prices(cost.prices)),
        ),
        Path(snakemake.output.cost),
        Path(snakemake.output.ratios),
        embedded=snakemake.params.embedded,
    )
