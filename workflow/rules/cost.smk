# The cost tables: time and energy of each model of the grid, and the price of a million posts.
include: "usage.smk"


TABLES += [f"{RESULTS}/tables/cost.csv", f"{RESULTS}/tables/cost_ratios.csv"]


rule tabulate_cost:
    input:
        usage=sum([*PREDICT_USAGE.values(), *FINETUNE_USAGE.values(), *EMBEDDED_USAGE.values()], []),
        asked=sum(ASKED_DETAILS.values(), []),
        prices=trackable(price_files()),
    output:
        cost=ensure(f"{RESULTS}/tables/cost.csv", non_empty=True),
        ratios=ensure(f"{RESULTS}/tables/cost_ratios.csv", non_empty=True),
    log:
        FILES.log("tabulate_cost"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("tabulate_cost"),
        predicted=PREDICT_USAGE,
        trained=FINETUNE_USAGE,
        asked=ASKED_DETAILS,
        embedded=EMBEDDED_USAGE,
        settings=settings("cost"),
        stamps=stamps(price_files()),
        dollars_per_hour=EXPERIMENT.machine.dollars_per_hour,
    script:
        "../scripts/tabulate_cost.py"
