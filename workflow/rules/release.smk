# Release adapters: the adapter, merged weights, a model card, and a check that they reproduce the grid's labels.
from babelgrid.release.name import release_name

RELEASE = EXPERIMENT.release


def released_rows():
    """Return the rows named in the config; raise an error that explains the block `release` if it is missing."""
    if RELEASE is None:
        raise WorkflowError(
            "release: nothing to release. Add a block `release` with adapters to the config "
            "(config/README.md explains it)"
        )
    return [released_row(name) for name in RELEASE.adapters]


def released_row(name):
    """Return the row of the grid with this name, which must have an adapter."""
    try:
        mixture, seed = find_row(GRID, name, "release.adapters")
    except UserError as error:
        raise WorkflowError(str(error)) from None
    if not GRID.mixtures[mixture].is_trained:
        raise WorkflowError(f"release.adapters: {mixture!r} has no adapter: nothing was trained for it")
    return mixture, seed


def push_settings(wildcards):
    """Return the settings that the upload of one adapter depends on, without the other adapters of the list."""
    own = [f"{wildcards.mixture}/seed{wildcards.seed}"]
    return {**RELEASE.model_dump(mode="json"), "adapters": own}


def release_settings(wildcards):
    """Return the settings that one adapter's folder depends on, without those of the upload."""
    return {**push_settings(wildcards), "push": None}


def released_folders(wildcards):
    return [f"{RESULTS}/release/{mixture}/seed{seed}" for mixture, seed in released_rows()]


def pushed_rows():
    """Return the released rows; raise an error if the owner on the Hub is missing."""
    if released_rows() and RELEASE.push is None:
        raise WorkflowError("release.push: set the owner of the repositories on the Hub: release: {push: {owner: ...}}")
    rows = released_rows()
    names = [release_name(EXPERIMENT.experiment, *row, is_llama=False) for row in rows]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise WorkflowError(
            f"release.adapters: two adapters would be named {twice!r} on the Hub. Push them from two configs, or "
            "rename a mixture"
        )
    return rows


def pushed_folders(wildcards):
    return pushed_rows() and released_folders(wildcards)


def pushed_records(wildcards):
    return [f"{RESULTS}/pushed/{mixture}/seed{seed}.json" for mixture, seed in pushed_rows()]


rule release:
    input:
        released_folders,
    localrule: True


# List what `push` would upload. This creates no file and makes no request.
rule push_list:
    input:
        folders=pushed_folders,
        base=f"{RESULTS}/base.json",
    log:
        f"{RESULTS}/logs/push_list.log",
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        settings=settings("base", "release"),
        experiment=EXPERIMENT.experiment,
        rows=lambda wildcards: [list(row) for row in pushed_rows()],
    script:
        "../scripts/push_list.py"


rule push:
    input:
        pushed_records,
    localrule: True


if RELEASE:

    rule release_adapter:
        input:
            adapter=adapter_to_score,
            provenance=lambda wildcards: provenance_file(wildcards.mixture, wildcards.seed),
            base=f"{RESULTS}/base.json",
            cells=f"{RESULTS}/tables/cells.csv",
            trained=train_posts,
            posts=lambda wildcards: posts_of(GRID.test_languages),
            predictions=lambda wildcards: [
                prediction_file(wildcards.mixture, wildcards.seed, language) for language in GRID.test_languages
            ],
        output:
            directory(f"{RESULTS}/release/{{mixture}}/seed{{seed}}"),
        log:
            f"{RESULTS}/logs/release_adapter/{{mixture}}/seed{{seed}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/release_adapter/{{mixture}}/seed{{seed}}.tsv"
        conda:
            "../../envs/babelgrid.yaml"
        threads: MODEL_THREADS
        resources:
            # Estimate: the base is dequantised and merged in float32 in host memory, then copied to bfloat16.
            **{
                **MODEL_RESOURCES,
                "mem_mb": lambda wildcards, attempt: 2 * attempt * MODEL_MB,
            },
        params:
            code=code("release_adapter"),
            settings={**settings("base", "prompt"), "labels": answers_of_labels()},
            release=release_settings,
            experiment=EXPERIMENT.experiment,
            # Outside the release folder, which exists only if the check passed.
            parity=f"{RESULTS}/logs/release_adapter/{{mixture}}/seed{{seed}}.parity.json",
        script:
            "../scripts/release_adapter.py"

    rule push_adapter:
        input:
            folder=f"{RESULTS}/release/{{mixture}}/seed{{seed}}",
            base=f"{RESULTS}/base.json",
        output:
            f"{RESULTS}/pushed/{{mixture}}/seed{{seed}}.json",
        log:
            f"{RESULTS}/logs/push_adapter/{{mixture}}/seed{{seed}}.log",
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("push_adapter"),
            settings=settings("base"),
            release=push_settings,
            experiment=EXPERIMENT.experiment,
        script:
            "../scripts/push_adapter.py"
