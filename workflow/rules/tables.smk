# From predictions to tables, without a model or a GPU.
TABLES = [
    f"{RESULTS}/tables/cells.csv",
    f"{RESULTS}/tables/classes.csv",
    f"{RESULTS}/tables/transfer_matrix.csv",
    f"{RESULTS}/tables/exposure.csv",
    f"{RESULTS}/tables/replicates.parquet",
    f"{RESULTS}/tables/scores.csv",
    f"{RESULTS}/tables/comparisons.csv",
]
if IMPORT and IMPORT.columns.part:
    TABLES.append(f"{RESULTS}/tables/parts.csv")


rule score_cells:
    input:
        predictions=PREDICTIONS,
        baselines=BASELINES,
    output:
        cells=ensure(f"{RESULTS}/tables/cells.csv", non_empty=True),
        classes=ensure(f"{RESULTS}/tables/classes.csv", non_empty=True),
    log:
        FILES.log("score_cells"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("score_cells"),
        grid={
            "cells": list(map(list, GRID.cells)),
            "rows": list(map(list, BASELINE_ROWS)),
        },
        settings={"views": EXPERIMENT.effective_views, **settings("score")},
        seed=EXPERIMENT.seed,
    script:
        "../scripts/score_cells.py"


rule resample_cells:
    input:
        predictions=PREDICTIONS,
        posts=TEST_POSTS,
    output:
        ensure(f"{RESULTS}/tables/replicates.parquet", non_empty=True),
    log:
        FILES.log("resample_cells"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("resample_cells"),
        cells=list(map(list, GRID.cells)),
        settings={"views": EXPERIMENT.effective_views, **settings("score")},
        seed=EXPERIMENT.seed,
    script:
        "../scripts/resample_cells.py"


rule summarize_scores:
    input:
        replicates=f"{RESULTS}/tables/replicates.parquet",
    output:
        ensure(f"{RESULTS}/tables/scores.csv", non_empty=True),
    log:
        FILES.log("summarize_scores"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("summarize_scores"),
        min_posts=EXPERIMENT.score.min_posts,
    script:
        "../scripts/summarize_scores.py"


rule compare_cells:
    input:
        predictions=PREDICTIONS,
        baselines=BASELINES,
        posts=TEST_POSTS,
    output:
        ensure(f"{RESULTS}/tables/comparisons.csv", non_empty=True),
    log:
        FILES.log("compare_cells"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("compare_cells"),
        grid={
            "cells": list(map(list, GRID.cells)),
            "rows": list(map(list, BASELINE_ROWS)),
        },
        settings={"views": EXPERIMENT.effective_views, **settings("score")},
        seed=EXPERIMENT.seed,
    script:
        "../scripts/compare_cells.py"


rule score_parts:
    input:
        predictions=PREDICTIONS,
    output:
        ensure(f"{RESULTS}/tables/parts.csv", non_empty=True),
    log:
        FILES.log("score_parts"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("score_parts"),
        cells=list(map(list, GRID.cells)),
        views=EXPERIMENT.effective_views,
    script:
        "../scripts/score_parts.py"


rule build_transfer_matrix:
    input:
        cells=f"{RESULTS}/tables/cells.csv",
    output:
        ensure(f"{RESULTS}/tables/transfer_matrix.csv", non_empty=True),
    log:
        FILES.log("build_transfer_matrix"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("build_transfer_matrix"),
        metric=EXPERIMENT.score.metric,
        languages=list(GRID.test_languages),
    script:
        "../scripts/build_transfer_matrix.py"


rule measure_exposure:
    input:
        shares=sorted(
            os.path.relpath(path)
            for path in Path(workflow.basedir, "src/babelgrid/analysis/exposure/share_tables").glob("*.csv")
        ),
        own_shares=trackable(share_files()),
        posts=[] if IMPORT else list(map(FILES.posts, languages_of_grid())),
        tokens=[] if IMPORT else f"{RESULTS}/posts/tokens.parquet",
        lab=f"{RESULTS}/base" if LAB_BASE else [],
    output:
        ensure(f"{RESULTS}/tables/exposure.csv", non_empty=True),
    log:
        FILES.log("measure_exposure"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("measure_exposure"),
        mixtures=[mixture_settings(name) for name in GRID.mixtures],
        grid={
            "seeds": list(GRID.seeds),
            "budget": EXPERIMENT.mixtures.posts,
            "epochs": EXPERIMENT.finetune.epochs,
            "languages": languages_of_grid(),
        },
        settings=settings("exposure"),
        stamps=stamps(share_files()),
    script:
        "../scripts/measure_exposure.py"
