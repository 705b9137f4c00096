# Predictions are computed from posts and a base, or imported.
if not IMPORT:

    include: "posts.smk"
    include: "base.smk"
    include: "grid.smk"
    include: "api.smk"
    include: "rivals.smk"

else:

    rule import_predictions:
        input:
            trackable(existing_files(IMPORT.files)),
        output:
            [ensure(path, non_empty=True) for path in PREDICTIONS],
        log:
            FILES.log("import_predictions"),
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("import_predictions"),
            settings={**settings("predictions", "labels"), **settings("seeds")},
            stamps=stamps(existing_files(IMPORT.files)),
            aliases=EXPERIMENT.languages.aliases,
            mixtures={name: mixture.name for name, mixture in imported_mixtures(EXPERIMENT).items()},
            cells=list(map(list, GRID.cells)),
        script:
            "../scripts/import_predictions.py"
