# The adapters that the targets `release` and `push` name.
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
    if mixture not in GRID.own:
        raise WorkflowError(f"release.adapters: {mixture!r} is not an adapter of the base; only adapters are released")
    if not GRID.mixtures[mixture].has_adapter:
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
