# The ledger: what each model of the grid took, and what a million posts cost with it.
include: "usage.smk"


TABLES += [f"{RESULTS}/tables/cost.csv", f"{RESULTS}/tables/cost_ratios.csv"]
FIGURES += expand(f"{RESULTS}/figures/cost.{{format}}", format=FORMATS)


localrules:
    tabulate_cost,
    draw_cost,


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


rule draw_cost:
    input:
        style=STYLE_FILE,
        cost=f"{RESULTS}/tables/cost.csv",
    output:
        **{kind: f"{RESULTS}/figures/cost.{kind}" for kind in FORMATS if kind != "svg"},
        svg=report(
            f"{RESULTS}/figures/cost.svg",
            caption="../report/cost.rst",
            category="cost",
            labels={"figure": "cost"},
        ),
    log:
        f"{RESULTS}/logs/draw_cost.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_cost"),
        look={"note": NOTE, "width": WIDTH},
    script:
        "../scripts/draw_cost.py"
