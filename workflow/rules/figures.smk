# From tables to pictures: seconds, and nothing but tables is read.
FORMATS = ["pdf", "svg", "png", "csv"]
FIGURE_NAMES = ["transfer_matrix", "exposure_bias"] + ["gain"] * (
    "none" in GRID.mixtures and not IMPORT
)
FIGURES = expand(
    f"{RESULTS}/figures/{{figure}}_{{view}}.{{format}}",
    figure=FIGURE_NAMES,
    view=EXPERIMENT.effective_views,
    format=FORMATS,
)
STYLE_FILE = os.path.relpath(
    os.path.join(workflow.basedir, "src/babelgrid/figures/babelgrid.mplstyle")
)
# A figure of the lab says on its face what in it is constructed.
NOTE = ""
if LAB_BASE:
    NOTE = "The base is the lab's own small one, pre-trained on constructed text."
if LAB_BASE and LAB_POSTS:
    NOTE = (
        "A constructed world: the lab pre-trained this base itself, on text of its own."
    )


rule draw_transfer_matrix:
    input:
        style=STYLE_FILE,
        cells=f"{RESULTS}/tables/cells.csv",
        exposure=f"{RESULTS}/tables/exposure.csv",
    output:
        **figure_files("transfer_matrix"),
    log:
        f"{RESULTS}/logs/draw_transfer_matrix/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_transfer_matrix"),
        metric=EXPERIMENT.score.metric,
        table=EXPERIMENT.exposure.tables[0],
        note=NOTE,
    script:
        "../scripts/draw_transfer_matrix.py"


rule draw_exposure_bias:
    input:
        style=STYLE_FILE,
        cells=f"{RESULTS}/tables/cells.csv",
        exposure=f"{RESULTS}/tables/exposure.csv",
    output:
        **figure_files("exposure_bias"),
    log:
        f"{RESULTS}/logs/draw_exposure_bias/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_exposure_bias"),
        metric=EXPERIMENT.score.metric,
        table=EXPERIMENT.exposure.tables[0],
        note=NOTE,
    script:
        "../scripts/draw_exposure_bias.py"


rule draw_gain:
    input:
        style=STYLE_FILE,
        cells=f"{RESULTS}/tables/cells.csv",
        exposure=f"{RESULTS}/tables/exposure.csv",
    output:
        **figure_files("gain"),
    log:
        f"{RESULTS}/logs/draw_gain/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_gain"),
        metric=EXPERIMENT.score.metric,
        note=NOTE,
    script:
        "../scripts/draw_gain.py"
