# From tables to pictures: seconds, and nothing but tables is read.
FORMATS = ["pdf", "svg", "png", "csv"]

MADE = {Path(table).stem for table in TABLES}
ALONE = [name for name in GRID.mixtures if name in GRID.test_languages]
FIGURE_NAMES = ["transfer_matrix", "clustered_matrix", "exposure_bias", "confusion"]
FIGURE_NAMES += ["gap_matrix"] * bool(ALONE)
if "none" in GRID.mixtures:
    # Against tokens seen in fine-tuning, which nobody counted for predictions made elsewhere.
    FIGURE_NAMES += ["gain_matrix"] + ["gain"] * (not IMPORT)
FIGURE_NAMES += ["donors"] * (len(ALONE) > 1 and ("donors" in MADE))
FIGURE_NAMES += ["doses"] * (any(one.dose_language for one in GRID.mixtures.values()) and ("doses" in MADE))
FIGURE_NAMES += ["calibration"] * ("calibration" in MADE)
FIGURES = expand(
    f"{RESULTS}/figures/{{figure}}_{{view}}.{{format}}",
    figure=FIGURE_NAMES,
    view=EXPERIMENT.effective_views,
    format=FORMATS,
)
if twice := [path for path in FIGURES if FIGURES.count(path) > 1]:
    raise WorkflowError(
        f"views: two figures would be called {Path(twice[0]).stem!r}, as one view is named like another with "
        "`matrix_` in front; rename it"
    )
FIGURES += expand(
    f"{RESULTS}/figures/learning_curves.{{format}}",
    format=FORMATS * bool(ADAPTERS),
)
STYLE_FILE = os.path.relpath(os.path.join(workflow.basedir, "src/babelgrid/figures/babelgrid.mplstyle"))
# A figure of the lab says on its face what in it is constructed.
NOTE = ""
if LAB_BASE:
    NOTE = "The base is the lab's own small one, pre-trained on constructed text."
if LAB_BASE and LAB_POSTS:
    NOTE = "A constructed world: the lab pre-trained this base itself, on text of its own."
GRID_TABLES = {
    "style": STYLE_FILE,
    "cells": f"{RESULTS}/tables/cells.csv",
    "scores": f"{RESULTS}/tables/scores.csv",
    "exposure": f"{RESULTS}/tables/exposure.csv",
}
WIDTH = {1: 3.4, 2: 7.0}[EXPERIMENT.figures.columns]
LOOK = {
    "metric": EXPERIMENT.score.metric,
    "table": EXPERIMENT.exposure.tables[0],
    "note": NOTE,
    "width": WIDTH,
}
# One mixture's confusion and calibration are figures; those of the others are in the report and its tables.
CONFUSED = max(GRID.mixtures.values(), key=lambda mixture: len(mixture.languages)).name


include: "matrices.smk"


localrules:
    draw_exposure_bias,
    draw_gain,
    draw_doses,
    draw_donors,
    draw_calibration,
    draw_confusion,
    draw_curves,


rule draw_exposure_bias:
    input:
        **GRID_TABLES,
    output:
        **figure_files("exposure_bias"),
    log:
        f"{RESULTS}/logs/draw_exposure_bias/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_exposure_bias"),
        look=LOOK,
    script:
        "../scripts/draw_exposure_bias.py"


rule draw_gain:
    input:
        **GRID_TABLES,
    output:
        **figure_files("gain"),
    log:
        f"{RESULTS}/logs/draw_gain/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_gain"),
        look=LOOK,
    script:
        "../scripts/draw_gain.py"


rule draw_doses:
    input:
        style=STYLE_FILE,
        doses=f"{RESULTS}/tables/doses.csv",
        fits=f"{RESULTS}/tables/dose_fits.csv",
        curves=f"{RESULTS}/tables/dose_curves.csv",
    output:
        **figure_files("doses"),
    log:
        f"{RESULTS}/logs/draw_doses/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_doses"),
        look={"metric": EXPERIMENT.score.metric, "note": NOTE, "width": WIDTH},
    script:
        "../scripts/draw_doses.py"


rule draw_donors:
    input:
        style=STYLE_FILE,
        donors=f"{RESULTS}/tables/donors.csv",
    output:
        **figure_files("donors"),
    log:
        f"{RESULTS}/logs/draw_donors/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_donors"),
        look={
            "languages": list(GRID.test_languages),
            "metric": EXPERIMENT.score.metric,
            "note": NOTE,
            "width": WIDTH,
        },
    script:
        "../scripts/draw_donors.py"


rule draw_calibration:
    input:
        style=STYLE_FILE,
        calibration=f"{RESULTS}/tables/calibration.csv",
    output:
        **figure_files("calibration"),
    log:
        f"{RESULTS}/logs/draw_calibration/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_calibration"),
        look={"mixture": CONFUSED, "note": NOTE, "width": WIDTH},
    script:
        "../scripts/draw_calibration.py"


rule draw_confusion:
    input:
        style=STYLE_FILE,
        confusions=f"{RESULTS}/tables/confusions.parquet",
    output:
        **figure_files("confusion"),
    log:
        f"{RESULTS}/logs/draw_confusion/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_confusion"),
        look={"mixture": CONFUSED, "note": NOTE, "width": WIDTH},
    script:
        "../scripts/draw_confusion.py"


rule draw_curves:
    input:
        style=STYLE_FILE,
        curves=f"{RESULTS}/tables/learning_curves.csv",
        exposure=f"{RESULTS}/tables/exposure.csv",
    output:
        **{kind: f"{RESULTS}/figures/learning_curves.{kind}" for kind in FORMATS if kind != "svg"},
        svg=report(
            f"{RESULTS}/figures/learning_curves.svg",
            caption="../report/learning_curves.rst",
            category="training",
            labels={"figure": "learning curves"},
        ),
    log:
        f"{RESULTS}/logs/draw_curves.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_curves"),
        look={"note": NOTE, "width": WIDTH},
    script:
        "../scripts/draw_curves.py"


# With figures of its own, and where there are jobs that took anything.
if not IMPORT:

    include: "cost.smk"
