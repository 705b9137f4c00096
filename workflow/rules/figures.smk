# Figures, drawn from tables only, in seconds.
FORMATS = ["pdf", "svg", "png", "csv"]
STYLE_FILE = os.path.relpath(os.path.join(workflow.basedir, "src/babelgrid/figures/babelgrid.mplstyle"))
# Figures of the lab state which parts of their data are constructed.
NOTE = ""
if LAB_BASE:
    NOTE = "The base is the lab's own small one, pre-trained on constructed text."
if LAB_BASE and LAB_POSTS:
    NOTE = "A constructed world: the lab pre-trained this base itself, on text of its own."
LOOK = {"note": NOTE, "width": {1: 3.4, 2: 7.0}[EXPERIMENT.figures.columns]}
SCORED = {**LOOK, "metric": EXPERIMENT.score.metric}
# Figures about exposure state whether it is another model's.
ORIGIN = EXPERIMENT.exposure.origin_note(EXPERIMENT.base.hub if EXPERIMENT.base else None)
EXPOSED = {**SCORED, "note": f"{NOTE} {ORIGIN}".strip(), "table": EXPERIMENT.exposure.tables[0]}
# Confusion and calibration are drawn for one mixture. The report and its tables have the others.
UNMERGED = [mixture for mixture in GRID.mixtures.values() if not mixture.merge]
CONFUSED = {**LOOK, "mixture": max(UNMERGED, key=lambda mixture: len(mixture.languages)).name}
GRID_TABLES = ["cells.csv", "scores.csv", "exposure.csv"]
ALONE = [name for name in GRID.mixtures if name in GRID.test_languages]
HAS_DOSES = any(mixture.dose_language for mixture in GRID.mixtures.values())

# Figure -> function in babelgrid.figures, tables, look, and whether to draw it. To add a figure, add a line here, the
# function, and a caption in workflow/report.
BY_VIEW = {
    "transfer_matrix": ("matrix.draw_transfer_matrix", GRID_TABLES, EXPOSED, True),
    "clustered_matrix": ("matrix.draw_clustered_matrix", [*GRID_TABLES, "clusters.csv"], EXPOSED, True),
    "gap_matrix": ("matrix.draw_gap_matrix", GRID_TABLES, EXPOSED, ALONE),
    "gain_matrix": ("matrix.draw_gain_matrix", GRID_TABLES, EXPOSED, "none" in GRID.mixtures),
    "exposure_bias": ("bias.draw_exposure_bias", GRID_TABLES, EXPOSED, True),
    # Plotted against fine-tuning tokens, which are unknown for imported predictions.
    "gain": ("gain.draw_gain", GRID_TABLES, EXPOSED, "none" in GRID.mixtures and not IMPORT),
    "doses": ("doses.draw_doses", ["doses.csv", "dose_fits.csv", "dose_curves.csv"], SCORED, HAS_DOSES),
    "donors": (
        "donors.draw_donors",
        ["donors.csv"],
        {**SCORED, "languages": list(GRID.test_languages)},
        len(ALONE) > 1,
    ),
    "calibration": ("calibration.draw_calibration", ["calibration.csv"], CONFUSED, True),
    "confusion": ("confusion.draw_confusion", ["confusions.parquet"], CONFUSED, True),
}
# Figures that do not depend on the view; the last value is the category in Snakemake's report.
ONCE = {
    "learning_curves": ("curves.draw_curves", ["learning_curves.csv", "exposure.csv"], LOOK, ADAPTERS, "training"),
    "cost": ("cost.draw_cost", ["cost.csv"], LOOK, not IMPORT, "cost"),
}


def figure_stem(figure):
    return f"{RESULTS}/figures/{figure}" + "_{view}" * (figure not in ONCE)


def figure_paths(figure):
    """Return all files of a figure, for every view."""
    return expand(f"{figure_stem(figure)}.{{format}}", view=EXPERIMENT.effective_views, format=FORMATS)


def figure_log(figure, rule_name):
    return FILES.log(rule_name if figure in ONCE else f"{rule_name}/{{view}}")


def figure_files(figure, category):
    """Return the outputs of a figure's rule; Snakemake's report shows the SVG."""
    stem = figure_stem(figure)
    labels = {"figure": figure.replace("_", " ")} | ({"view": "{view}"} if figure not in ONCE else {})
    shown = report(f"{stem}.svg", caption=f"../report/{figure}.rst", category=category, labels=labels)
    return {"svg": shown, **{kind: f"{stem}.{kind}" for kind in FORMATS if kind != "svg"}}


DRAWN = {name: (*figure[:3], "{view}") for name, figure in BY_VIEW.items() if figure[3]}
DRAWN |= {name: (*figure[:3], figure[4]) for name, figure in ONCE.items() if figure[3]}
FIGURES = [path for figure in DRAWN for path in figure_paths(figure)]
if twice := [path for path in FIGURES if FIGURES.count(path) > 1]:
    raise WorkflowError(
        f"views: two figures would be named {Path(twice[0]).stem!r}, because one view is called like another with "
        "the prefix `matrix_`. Rename it"
    )
if EXPERIMENT.intervention:
    SIDE_BY_SIDE = {**SCORED, "against": EXPERIMENT.intervention.against}
    tables = ["intervention.csv", "intervention_slopes.csv"]
    DRAWN["intervention"] = ("intervention.draw_intervention", tables, SIDE_BY_SIDE, "{view}")


for figure, (draw, tables, look, category) in DRAWN.items():

    rule:
        name:
            draw.split(".")[1]
        input:
            **{Path(table).stem: f"{RESULTS}/tables/{table}" for table in tables},
            style=STYLE_FILE,
        output:
            **figure_files(figure, category),
        log:
            figure_log(figure, draw.split(".")[1]),
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("draw", f"figures/{draw.split('.')[0]}.py"),
            draw=draw,
            look=look,
            is_of_grid=tables[:3] == GRID_TABLES,
        script:
            "../scripts/draw.py"
