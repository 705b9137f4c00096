# Functions that return the inputs of rules.


def posts_of(languages):
    """Return the posts files of these languages, once the posts have been counted."""
    checkpoints.count_labels.get()
    return list(map(FILES.posts, languages))


def counts_of(wildcards):
    """Return the counts of one language's posts, which change only with its rows; the folder if there are none."""
    folder = checkpoints.count_labels.get().output[0]
    counts = f"{folder}/{wildcards.language}.json"
    return counts if os.path.isfile(counts) else folder


def train_posts(wildcards):
    """Return the posts files of a mixture's languages."""
    return posts_of(GRID.mixtures[wildcards.mixture].all_languages)


def baseline_posts(wildcards):
    """Return the posts for the baselines: those of the mixture, or of all train languages for the untuned base."""
    mixture = GRID.mixtures[wildcards.mixture]
    return posts_of(mixture.all_languages or EXPERIMENT.languages.train)


def answers_of_mixture(wildcards):
    """Return the answer checks of the templates that a mixture's posts use."""
    languages = GRID.mixtures[wildcards.mixture].all_languages
    return list(map(FILES.answers, templates_of(languages)))


def adapter_to_score(wildcards):
    """Return the adapter files of a row, weights first; empty for the untuned base."""
    if not GRID.mixtures[wildcards.mixture].has_adapter:
        return []
    row = (wildcards.mixture, wildcards.seed)
    return [FILES.adapter(*row), FILES.adapter(*row, "adapter_config.json")]


def adapters_to_merge(wildcards, file="adapter_model.safetensors"):
    """Return this file of each parent of a merged row, with the same seed."""
    parents = GRID.mixtures[wildcards.mixture].merge.parents
    return [FILES.adapter(parent.name, wildcards.seed, file) for parent in parents]


def table_of(experiment, name):
    """Return a table of another experiment, which must be finished already."""
    path = f"results/{experiment}/tables/{name}"
    if not os.path.isfile(path):
        raise WorkflowError(
            f"{path} is missing: run the experiment {experiment!r} first (`snakemake` without arguments runs `lab`)"
        )
    return path
