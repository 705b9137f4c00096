# Targets for before, during and after a run. They create no file of the experiment, so they also work while a run holds
# Snakemake's lock.
rule status:
    log:
        FILES.log("status"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        grid={
            "rows": [list(row) for row in GRID.rows],
            "untrained": [name for name, mixture in GRID.mixtures.items() if not mixture.has_adapter],
            "merged": [name for name, mixture in GRID.mixtures.items() if mixture.merge],
            "languages": list(GRID.test_languages),
            "results": RESULTS,
            "per_cell": EXPERIMENT.predict.per_cell,
        },
    script:
        "../scripts/status.py"


if not IMPORT:

    rule probe_speed:
        input:
            posts=FILES.posts("all"),
            base=f"{RESULTS}/base.json",
        output:
            f"{RESULTS}/speed.json",
        log:
            FILES.log("probe_speed"),
        conda:
            "../../envs/babelgrid.yaml"
        threads: model_threads
        resources:
            **MODEL_RESOURCES,
        params:
            code=code("probe_speed"),
            settings={
                **settings("base", "prompt", "finetune", "predict"),
                "labels": label_settings(EXPERIMENT.labels),
            },
            gpu=EXPERIMENT.machine.gpu if USES_GPU else None,
        script:
            "../scripts/probe_speed.py"

    rule estimate:
        input:
            posts=FILES.posts("all"),
            tokens=f"{RESULTS}/posts/tokens.parquet",
            base=f"{RESULTS}/base.json",
            speed=f"{RESULTS}/speed.json",
        log:
            FILES.log("estimate"),
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            config=dict(config),
            snakefile=str(workflow.main_snakefile),
            benchmarks=f"{RESULTS}/benchmarks",
            grid=lambda wildcards: {
                "rows": [[mixture_settings(name), seed] for name, seed in ROWS_OF_BASE],
                "budget": EXPERIMENT.mixtures.posts,
                "epochs": EXPERIMENT.finetune.epochs,
                "test_languages": list(GRID.test_languages),
                "per_cell": EXPERIMENT.predict.per_cell,
            },
            api=EXPERIMENT.api,
            rivals=len(GRID.rivals),
            prices=EXPERIMENT.cost.prices,
            workers={
                "gpus": EXPERIMENT.machine.gpus if USES_GPU else None,
                "jobs_per_gpu": EXPERIMENT.machine.jobs_per_gpu,
                "cores": workflow.resource_settings.cores or 1,
                "dollars_per_hour": EXPERIMENT.machine.dollars_per_hour,
            },
        script:
            "../scripts/estimate.py"

    rule doctor:
        log:
            FILES.log("doctor"),
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            settings=settings("base"),
            words=[*EXPERIMENT.labels, *EXPERIMENT.effective_views],
            job_mb=model_mb(),
            requirements=os.path.relpath(os.path.join(workflow.basedir, "envs/requirements.txt")),
        script:
            "../scripts/doctor.py"
