# Targets for a finished grid: compare it with the same grid on another base, and plan which languages to label next.
if EXPERIMENT.intervention:

    rule intervention:
        input:
            f"{RESULTS}/tables/intervention.csv",
            f"{RESULTS}/tables/intervention_slopes.csv",
            figure_paths("intervention"),
        localrule: True

    rule measure_intervention:
        input:
            replicates=f"{RESULTS}/tables/replicates.parquet",
            exposure=f"{RESULTS}/tables/exposure.csv",
            against_replicates=lambda wildcards: table_of(EXPERIMENT.intervention.against, "replicates.parquet"),
            against_exposure=lambda wildcards: table_of(EXPERIMENT.intervention.against, "exposure.csv"),
        output:
            cells=ensure(f"{RESULTS}/tables/intervention.csv", non_empty=True),
            slopes=ensure(f"{RESULTS}/tables/intervention_slopes.csv", non_empty=True),
        log:
            FILES.log("measure_intervention"),
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("measure_intervention"),
            trained=[name for name, own in GRID.own.items() if own.is_trained],
            min_posts=EXPERIMENT.score.min_posts,
            seed=EXPERIMENT.seed,
        script:
            "../scripts/measure_intervention.py"


if EXPERIMENT.plan:
    PLAN_VIEW = EXPERIMENT.plan.view or next(iter(EXPERIMENT.effective_views))


if EXPERIMENT.plan and not EXPERIMENT.plan.checks:

    rule plan:
        input:
            f"{RESULTS}/tables/plan.csv",
            f"{RESULTS}/tables/plan_scores.csv",
            f"{RESULTS}/plan.yaml",
        localrule: True

    rule plan_labels:
        input:
            replicates=f"{RESULTS}/tables/replicates.parquet",
            exposure=f"{RESULTS}/tables/exposure.csv",
        output:
            plan=ensure(f"{RESULTS}/tables/plan.csv", non_empty=True),
            scores=ensure(f"{RESULTS}/tables/plan_scores.csv", non_empty=True),
            overlay=ensure(f"{RESULTS}/plan.yaml", non_empty=True),
        log:
            FILES.log("plan_labels"),
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("plan_labels"),
            mixtures=MIXTURE_SETTINGS,
            candidates=list(EXPERIMENT.languages.train),
            plan=settings("plan")["plan"],
            view=PLAN_VIEW,
            min_posts=EXPERIMENT.score.min_posts,
            experiment=EXPERIMENT.experiment,
        script:
            "../scripts/plan_labels.py"


if EXPERIMENT.plan and EXPERIMENT.plan.checks:

    rule plan_checked:
        input:
            f"{RESULTS}/tables/plan_check.csv",
        localrule: True

    rule check_plan:
        input:
            replicates=f"{RESULTS}/tables/replicates.parquet",
            expected=lambda wildcards: table_of(EXPERIMENT.plan.checks, "plan_scores.csv"),
        output:
            ensure(f"{RESULTS}/tables/plan_check.csv", non_empty=True),
        log:
            FILES.log("check_plan"),
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("check_plan"),
            view=PLAN_VIEW,
            min_posts=EXPERIMENT.score.min_posts,
        script:
            "../scripts/check_plan.py"
