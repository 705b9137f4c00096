# What the targets `release` and `push` make.
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
