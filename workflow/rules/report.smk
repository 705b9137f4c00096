# The report: one page made from the tables, in seconds, without a model.
PAGE = f"{RESULTS}/report.html"
REPORT = [PAGE] + expand(
    f"{RESULTS}/tables/transfer_matrix_{{view}}.{{format}}",
    view=EXPERIMENT.effective_views,
    format=["tex", "md"],
)


rule tabulate_confusions:
    input:
        predictions=PREDICTIONS,
    output:
        ensure(f"{RESULTS}/tables/confusions.parquet", non_empty=True),
    log:
        FILES.log("tabulate_confusions"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("tabulate_confusions"),
        cells=list(map(list, GRID.cells)),
        views=EXPERIMENT.effective_views,
        examples=EXPERIMENT.report.examples,
    script:
        "../scripts/tabulate_confusions.py"


rule collect_curves:
    input:
        [FILES.adapter(*row, "training.csv") for row in GRID.adapters],
    output:
        ensure(f"{RESULTS}/tables/learning_curves.csv", non_empty=True),
    log:
        FILES.log("collect_curves"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("collect_curves"),
        adapters=list(map(list, GRID.adapters)),
    script:
        "../scripts/collect_curves.py"


rule write_report:
    input:
        page=sorted(
            os.path.relpath(path)
            for path in Path(workflow.basedir, "src/babelgrid/report").glob("*.*")
            if path.suffix != ".py"
        ),
        tables=TABLES,
        confusions=f"{RESULTS}/tables/confusions.parquet",
        # Their recorded settings must match the config that the page shows.
        predictions=PREDICTIONS,
        adapters=[str(Path(path).with_name("provenance.json")) for path in ADAPTERS],
        # Texts are read only if the config asks for them.
        posts=TEST_POSTS * EXPERIMENT.report.show_texts,
        posts_report=POSTS_REPORT,
        base=[] if IMPORT else f"{RESULTS}/base.json",
    output:
        ensure(PAGE, non_empty=True),
    log:
        FILES.log("write_report"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("write_report"),
        benchmarks=f"{RESULTS}/benchmarks",
        config=EXPERIMENT.model_dump(mode="json", by_alias=True),
        facts={
            "experiment": EXPERIMENT.experiment,
            "views": EXPERIMENT.effective_views,
            "metric": EXPERIMENT.score.metric,
            "table": EXPERIMENT.exposure.tables[0],
            "note": NOTE,
            "seed": EXPERIMENT.seed,
            **settings("report"),
        },
    script:
        "../scripts/write_report.py"


rule write_printed_matrix:
    input:
        cells=f"{RESULTS}/tables/cells.csv",
        scores=f"{RESULTS}/tables/scores.csv",
        exposure=f"{RESULTS}/tables/exposure.csv",
        comparisons=f"{RESULTS}/tables/comparisons.csv",
    output:
        latex=f"{RESULTS}/tables/transfer_matrix_{{view}}.tex",
        markdown=f"{RESULTS}/tables/transfer_matrix_{{view}}.md",
    log:
        FILES.log("write_printed_matrix/{view}"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("write_printed_matrix"),
        metric=EXPERIMENT.score.metric,
        table=EXPERIMENT.exposure.tables[0],
    script:
        "../scripts/write_printed_matrix.py"


# Targets for a finished grid.
include: "planner.smk"
