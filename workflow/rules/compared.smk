# Merged rows and rivals, compared with trained rows.
if GRID.rivals:
    TABLES.append(f"{RESULTS}/tables/rivals.csv")


rule measure_rivals:
    input:
        replicates=f"{RESULTS}/tables/replicates.parquet",
    output:
        ensure(f"{RESULTS}/tables/rivals.csv", non_empty=True),
    log:
        FILES.log("measure_rivals"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("measure_rivals"),
        min_posts=EXPERIMENT.score.min_posts,
    script:
        "../scripts/measure_rivals.py"


# Merged rows beside the rows that are trained on the same languages.
if trained_twins(GRID.mixtures.values()):
    TABLES += [f"{RESULTS}/tables/{name}.csv" for name in ["merged", "merged_cells"]]

    rule measure_merged:
        input:
            replicates=f"{RESULTS}/tables/replicates.parquet",
            cells=f"{RESULTS}/tables/cells.csv",
        output:
            merged=ensure(f"{RESULTS}/tables/merged.csv", non_empty=True),
            cells=ensure(f"{RESULTS}/tables/merged_cells.csv", non_empty=True),
        log:
            FILES.log("measure_merged"),
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("measure_merged"),
            mixtures=MIXTURE_SETTINGS,
            metric=EXPERIMENT.score.metric,
            min_posts=EXPERIMENT.score.min_posts,
        script:
            "../scripts/measure_merged.py"
