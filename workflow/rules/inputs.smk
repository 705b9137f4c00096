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


def translated_posts_of(languages):
    """Return the files of these languages' posts in translation, once the posts have been counted."""
    checkpoints.count_labels.get()
    return list(map(FILES.translated, languages))


def translated_counts_of(wildcards):
    """Return the record of one language's posts in translation, which changes only with them."""
    folder = checkpoints.count_labels.get().output[0]
    record = f"{folder}/translated/{wildcards.language}.json"
    return record if os.path.isfile(record) else folder


def train_posts(wildcards):
    """Return the posts files of a mixture's languages, in translation if the row is trained on translations."""
    find = translated_posts_of if trains_on_translations(wildcards) else posts_of
    return find(GRID.mixtures[wildcards.mixture].all_languages)


def posts_to_score(wildcards):
    """Return the posts files of the languages that one job scores, in translation if the row reads translations."""
    find = translated_posts_of if wildcards.mixture in TRANSLATED_NAMES else posts_of
    return find(expand(PREDICTED_LANGUAGES, **wildcards))


def answers_to_score(wildcards):
    """Return the answer checks of the templates for the posts that one job scores."""
    is_translated = wildcards.mixture in TRANSLATED_NAMES
    languages = [PIVOT] if is_translated else expand(PREDICTED_LANGUAGES, **wildcards)
    return list(map(FILES.answers, templates_of(languages)))


def baseline_posts(wildcards):
    """Return the posts for the baselines: those of the mixture, or of all train languages for the untuned base."""
    mixture = GRID.mixtures[wildcards.mixture]
    return posts_of(mixture.all_languages or EXPERIMENT.languages.train)


def answers_of_mixture(wildcards):
    """Return the answer checks of the templates that a mixture's posts use."""
    return list(map(FILES.answers, templates_of(languages_trained_on(wildcards))))


def adapter_to_score(wildcards):
    """Return the adapter files of a row, weights first; empty for the untuned base."""
    if not GRID.mixtures[wildcards.mixture].has_adapter:
        return []
    system, mixture = split_row(wildcards.mixture)
    row = (mixture if system == "translate_test" else wildcards.mixture, wildcards.seed)
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
