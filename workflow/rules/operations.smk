# What people ask before, during and after a run. These targets make no file of the experiment, and so the lock of a run
# that goes on, which is on files, does not stand in their way.
rule status:
    log:
        f"{RESULTS}/logs/status.log",
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        grid={
            "rows": [list(row) for row in GRID.rows],
            "untrained": [
                name
                for name, mixture in GRID.mixtures.items()
                if not mixture.is_trained
            ],
            "languages": list(GRID.test_languages),
            "results": RESULTS,
            "per_cell": EXPERIMENT.predict.per_cell,
        },
    script:
        "../scripts/status.py"
