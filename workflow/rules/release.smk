# Adapters made ready for others: the adapter, merged weights, a card, and the proof that they say what the grid says.
from babelgrid.release.name import release_name

RELEASE = EXPERIMENT.release


def released_rows():
    """The rows that the config names; where it names none, what to do about it."""
    if RELEASE is None:
        raise WorkflowError(
            "release: nothing to release. Add a block `release` with adapters to the config "
            "(config/README.md explains it)"
        )
    return [released_row(name) for name in RELEASE.adapters]


def released_row(name):
    """A row of the grid that has an adapter."""
    try:
        mixture, seed = find_row(GRID, name, "release.adapters")
    except UserError as error:
        raise WorkflowError(str(error)) from None
    if not GRID.mixtures[mixture].is_trained:
        raise WorkflowError(f"release.adapters: {mixture!r} has no adapter, as nothing was trained for it")
    return mixture, seed


def push_settings(wildcards):
    """What the upload of one adapter depends on: not the other adapters of the list."""
    own = [f"{wildcards.mixture}/seed{wildcards.seed}"]
    return {**RELEASE.model_dump(mode="json"), "adapters": own}


def release_settings(wildcards):
    """What one adapter's folder depends on: not where it is uploaded either."""
    return {**push_settings(wildcards), "push": None}


def released_folders(wildcards):
    return [f"{RESULTS}/release/{mixture}/seed{seed}" for mixture, seed in released_rows()]


def pushed_rows():
    """The released rows; without an owner on the Hub, what to do about it."""
    if released_rows() and RELEASE.push is None:
        raise WorkflowError("release.push: set the owner of the repositories on the Hub: release: {push: {owner: ...}}")
    rows = released_rows()
    names = [release_name(EXPERIMENT.experiment, *row, is_llama=False) for row in rows]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise WorkflowError(
            f"release.adapters: two would be {twice!r} on the Hub; push them from two configs, or rename a mixture"
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


# Says what `push` would upload. Makes no file, and asks nobody.
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
            # The base is dequantised and merged in float32 in the host's memory, and copied once to bfloat16: reckoned.
            **{
                **MODEL_RESOURCES,
                "mem_mb": lambda wildcards, attempt: 2 * attempt * MODEL_MB,
            },
        params:
            code=code("release_adapter"),
            settings={**settings("base", "prompt"), "labels": answers_of_labels()},
            release=release_settings,
            experiment=EXPERIMENT.experiment,
            # Outside the folder, which is there only if all is well.
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
