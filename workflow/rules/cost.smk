# The cost tables: time and energy of each model of the grid, and the price of a million posts.
def usage_files(rule_name, row):
    """Return the usage records of a row's jobs."""
    job = f"{rule_name}/{row[0]}/seed{row[1]}"
    per_cell = rule_name == "predict" and EXPERIMENT.predict.per_cell and row[0] not in API_ROWS
    if not per_cell:
        return [usage_file(job)]
    return [usage_file(f"{job}/{language}") for language in GRID.test_languages]


def by_mixture(rule_name, rows):
    """Return mixture -> usage records of its rows."""
    found = {}
    for row in rows:
        found.setdefault(row[0], []).extend(usage_files(rule_name, row))
    return found


PREDICT_USAGE = by_mixture("predict", [row for row in GRID.rows if row[0] not in API_ROWS])
FINETUNE_USAGE = by_mixture("finetune", GRID.adapters)
ASKED_DETAILS = {name: [f"{RESULTS}/api/{name}/seed{seed}.json"] for name, seed in GRID.rows if name in API_ROWS}


TABLES += [f"{RESULTS}/tables/cost.csv", f"{RESULTS}/tables/cost_ratios.csv"]


rule tabulate_cost:
    input:
        usage=sum([*PREDICT_USAGE.values(), *FINETUNE_USAGE.values()], []),
        asked=sum(ASKED_DETAILS.values(), []),
        prices=named(price_files()),
    output:
        cost=ensure(f"{RESULTS}/tables/cost.csv", non_empty=True),
        ratios=ensure(f"{RESULTS}/tables/cost_ratios.csv", non_empty=True),
    log:
        f"{RESULTS}/logs/tabulate_cost.log",
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("tabulate_cost"),
        predicted=PREDICT_USAGE,
        trained=FINETUNE_USAGE,
        asked=ASKED_DETAILS,
        settings=settings("cost"),
        stamps=stamps(price_files()),
        dollars_per_hour=EXPERIMENT.machine.dollars_per_hour,
    script:
        "../scripts/tabulate_cost.py"
