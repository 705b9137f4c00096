# Transfer, doses, label bias, exposure, claims and warnings, from the bootstrap and the predictions.
# Rivals say nothing about the base, and claims, donors, doses and plans are about the base.
MIXTURE_SETTINGS = [mixture_settings(name) for name in GRID.own]
TABLES += [
    f"{RESULTS}/tables/{name}.csv"
    for name in [
        "transfer",
        "donors",
        "contrasts",
        "clusters",
        "doses",
        "dose_fits",
        "label_bias",
        "calibration",
        "regression",
        "claims",
        "warnings",
    ]
]


# Predictions of the untuned base.
UNTUNED = [FILES.predictions(*cell) for cell in CELLS_OF_BASE if cell[0] == "none" and not IMPORT]


include: "compared.smk"


rule measure_transfer:
    input:
        replicates=f"{RESULTS}/tables/replicates.parquet",
    output:
        transfer=ensure(f"{RESULTS}/tables/transfer.csv", non_empty=True),
        donors=ensure(f"{RESULTS}/tables/donors.csv", non_empty=True),
        contrasts=ensure(f"{RESULTS}/tables/contrasts.csv", non_empty=True),
        clusters=ensure(f"{RESULTS}/tables/clusters.csv", non_empty=True),
    log:
        FILES.log("measure_transfer"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("measure_transfer"),
        mixtures=MIXTURE_SETTINGS,
        min_posts=EXPERIMENT.score.min_posts,
    script:
        "../scripts/measure_transfer.py"


rule measure_doses:
    input:
        replicates=f"{RESULTS}/tables/replicates.parquet",
    output:
        doses=ensure(f"{RESULTS}/tables/doses.csv", non_empty=True),
        fits=ensure(f"{RESULTS}/tables/dose_fits.csv", non_empty=True),
        curves=ensure(f"{RESULTS}/tables/dose_curves.csv", non_empty=True),
    log:
        FILES.log("measure_doses"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("measure_doses"),
        mixtures=MIXTURE_SETTINGS,
        min_posts=EXPERIMENT.score.min_posts,
    script:
        "../scripts/measure_doses.py"


rule measure_label_bias:
    input:
        predictions=PREDICTIONS,
        posts=TEST_POSTS,
    output:
        ensure(f"{RESULTS}/tables/label_bias.csv", non_empty=True),
    log:
        FILES.log("measure_label_bias"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("measure_label_bias"),
        cells=list(map(list, GRID.cells)),
        settings={"views": EXPERIMENT.effective_views, **settings("score")},
        seed=EXPERIMENT.seed,
    script:
        "../scripts/measure_label_bias.py"


rule measure_calibration:
    input:
        predictions=PREDICTIONS,
        posts=TEST_POSTS,
    output:
        ensure(f"{RESULTS}/tables/calibration.csv", non_empty=True),
    log:
        FILES.log("measure_calibration"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("measure_calibration"),
        cells=list(map(list, GRID.cells)),
        views=EXPERIMENT.effective_views,
    script:
        "../scripts/measure_calibration.py"


# API rows say nothing about the base's pre-training, and merged rows repeat what their parents say.
REGRESSED = [cell for cell in CELLS_OF_BASE if not GRID.mixtures[cell[0]].merge]


rule regress_exposure:
    input:
        predictions=[FILES.predictions(*cell) for cell in REGRESSED],
        exposure=f"{RESULTS}/tables/exposure.csv",
        replicates=f"{RESULTS}/tables/replicates.parquet",
        posts_report=POSTS_REPORT,
    output:
        ensure(f"{RESULTS}/tables/regression.csv", non_empty=True),
    log:
        FILES.log("regress_exposure"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("regress_exposure"),
        cells=list(map(list, REGRESSED)),
        views=EXPERIMENT.effective_views,
        min_posts=EXPERIMENT.score.min_posts,
        seed=EXPERIMENT.seed,
    script:
        "../scripts/regress_exposure.py"


rule judge_claims:
    input:
        replicates=f"{RESULTS}/tables/replicates.parquet",
        regression=f"{RESULTS}/tables/regression.csv",
        exposure=f"{RESULTS}/tables/exposure.csv",
    output:
        ensure(f"{RESULTS}/tables/claims.csv", non_empty=True),
    log:
        FILES.log("judge_claims"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("judge_claims"),
        mixtures=MIXTURE_SETTINGS,
        share_table=Path(EXPERIMENT.exposure.tables[0]).stem,
        min_posts=EXPERIMENT.score.min_posts,
    script:
        "../scripts/judge_claims.py"


rule list_warnings:
    input:
        posts=TEST_POSTS,
        scores=f"{RESULTS}/tables/scores.csv",
        label_bias=f"{RESULTS}/tables/label_bias.csv",
        exposure=f"{RESULTS}/tables/exposure.csv",
        untuned=UNTUNED,
    output:
        ensure(f"{RESULTS}/tables/warnings.csv", non_empty=True),
    log:
        FILES.log("list_warnings"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("list_warnings"),
    script:
        "../scripts/list_warnings.py"
