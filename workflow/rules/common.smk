# The experiment, its grid, and where its files are.
import json
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import contains_wildcard

# The library is used from this checkout, here and in every job that is started from here.
sys.path.insert(0, os.path.join(workflow.basedir, "src"))
search_path = [sys.path[0], os.environ.get("PYTHONPATH")]
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, search_path)))

from babelgrid.config.finetune import NON_RESULT_KEYS
from babelgrid.config.load import load_experiment
from babelgrid.errors import UserError
from babelgrid.grid import build_grid, imported_mixtures, needs_of
from babelgrid.runtime.code_hash import hash_code
from babelgrid.resources import host_memory_mb, minutes
from babelgrid.posts.check import check_counts
from babelgrid.posts.paths import files_within, find_files

try:
    EXPERIMENT = load_experiment(config, workflow.configfiles, workflow.config_settings.config_args)
    GRID = build_grid(EXPERIMENT)
except UserError as error:
    raise WorkflowError(str(error)) from None

RESULTS = f"results/{EXPERIMENT.experiment}"
# Rows that an endpoint answers, and how many examples each is given.
API_ROWS = EXPERIMENT.api.rows if EXPERIMENT.api else {}
CELLS_OF_BASE = [cell for cell in GRID.cells if cell[0] not in API_ROWS]
# Predictions made elsewhere: there are no posts, no base, no adapters and no baselines.
IMPORT = EXPERIMENT.predictions.imported if EXPERIMENT.predictions else None
# The lab's small base needs no GPU and no more than a core; any other base takes the GPU, where there is one.
LAB_BASE = EXPERIMENT.base.lab if EXPERIMENT.base else None
LAB_POSTS = EXPERIMENT.posts.lab if EXPERIMENT.posts else None
USES_GPU = LAB_BASE is None
MODEL_THREADS = 4 if USES_GPU else 1
MODEL_MB = host_memory_mb(EXPERIMENT.base) if EXPERIMENT.base else 0
MODEL_MINUTES = minutes(EXPERIMENT.base) if EXPERIMENT.base else 0
# What every job that uses the model asks for: more of it at each attempt.
MODEL_RESOURCES = {
    "gpu": int(USES_GPU),
    "mem_mb": lambda wildcards, attempt: attempt * MODEL_MB,
    "runtime": lambda wildcards, attempt: attempt * MODEL_MINUTES,
    "jobs_per_gpu": EXPERIMENT.machine.jobs_per_gpu,
    "energy": int(EXPERIMENT.machine.energy),
}
LEXICONS = sorted(os.path.relpath(path) for path in Path(workflow.basedir, "src/babelgrid/lab/lexicon").glob("*.yaml"))


report: "../report/workflow.rst"


wildcard_constraints:
    mixture="|".join(map(re.escape, GRID.mixtures)),
    seed=r"\d+",
    language="|".join(
        map(
            re.escape,
            dict.fromkeys([*EXPERIMENT.languages.train, *GRID.test_languages]),
        )
    ),
    view="|".join(map(re.escape, EXPERIMENT.effective_views)),


def code(rule_name):
    """The hash of the script and of the modules behind it: as a parameter, so that an edit of them makes the files anew."""
    return hash_code(os.path.join(workflow.basedir, "workflow/scripts", f"{rule_name}.py"))


def settings(*blocks):
    """Blocks of the config as plain builtins, so that Snakemake can tell whether they changed."""
    dumped = EXPERIMENT.model_dump(mode="json", by_alias=True)
    return {block: dumped[block] for block in blocks}


def answers_of_labels():
    """The labels as the model says them. How the data may spell them changes posts, and no job of the model."""
    labels = settings("labels")["labels"]
    return {name: {"answer": label["answer"]} for name, label in labels.items()}


def mixture_settings(name):
    """What a mixture is made of, as plain builtins."""
    mixture = GRID.mixtures[name]
    allocation = [list(part) for part in mixture.allocation]
    return {
        **asdict(mixture),
        "languages": list(mixture.languages),
        "allocation": allocation,
    }


def posts_file(language):
    """The posts of one language. No language has the code of another file beside it: `all` is refused."""
    return f"{RESULTS}/posts/{language}.parquet"


def posts_of(languages):
    """The posts files of languages, known once the posts have been counted: only those that changed are made again.

    Posts that are not what the grid needs are refused here, before anything is trained or scored.
    """
    counts = checkpoints.count_labels.get().output[0]
    try:
        check_counts(Path(counts), NEEDS)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return list(map(posts_file, languages))


def counts_of(wildcards):
    """The counts of one language's posts, which change with its rows and with nothing else."""
    folder = checkpoints.count_labels.get().output[0]
    return f"{folder}/{wildcards.language}.json"


def answers_file(template):
    """The answers under one template, checked."""
    return f"{RESULTS}/answers/{template}.json"


def adapter_file(mixture, seed):
    return f"{RESULTS}/adapters/{mixture}/seed{seed}/adapter_model.safetensors"


def provenance_file(mixture, seed):
    """What an adapter was made of."""
    return f"{RESULTS}/adapters/{mixture}/seed{seed}/provenance.json"


def prediction_file(mixture, seed, language):
    return f"{RESULTS}/predictions/{mixture}/seed{seed}/{language}.parquet"


def usage_file(job):
    """What a job took: `finetune/en/seed0`."""
    return f"{RESULTS}/usage/{job}.json"


def baseline_file(mixture, seed):
    return f"{RESULTS}/baselines/{mixture}/seed{seed}.parquet"


def train_posts(wildcards):
    """The posts files that a mixture is trained on."""
    return posts_of(GRID.mixtures[wildcards.mixture].all_languages)


def source_files():
    """The user's files of posts that exist; the script says in full which do not."""
    if EXPERIMENT.posts.dataset:
        return list(map(str, files_within(EXPERIMENT.posts.dataset.name)))
    return existing_files(EXPERIMENT.posts.files or [])


def base_files():
    """The files of a base in a local folder."""
    if EXPERIMENT.base.folder is None:
        return []
    folder = Path(EXPERIMENT.base.folder).expanduser()
    return sorted(
        str(path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.is_file() and not path.name.startswith(".")
    )


def price_files():
    """The user's own list of prices, if there is one."""
    return [EXPERIMENT.cost.prices] if EXPERIMENT.cost.prices else []


def share_files():
    """The user's own share tables; the others are shipped."""
    return [table for table in EXPERIMENT.exposure.tables if os.path.isfile(table)]


def existing_files(patterns):
    """The files that the patterns name; a pattern that matches nothing is left to the script."""
    found = []
    for pattern in patterns:
        try:
            found += find_files([pattern])
        except UserError:
            continue
    return sorted({str(file.path) for file in found})


def named(paths):
    """The paths that can be the inputs of a rule; those of `stamps` cannot."""
    return [path for path in paths if not contains_wildcard(path)]


def stamps(paths):
    """Size and time of change of the files that cannot be inputs, to be a parameter instead.

    Snakemake takes `{word}` in a path for a wildcard, and there is no way to escape it.
    """
    return {
        path: [os.stat(path).st_size, os.stat(path).st_mtime_ns]
        for path in paths
        if contains_wildcard(path) and os.path.isfile(path)
    }


def templates_of(languages):
    """The templates that posts in these languages meet, by the languages that they are of."""
    return list(languages) if EXPERIMENT.prompt.language == "native" else ["en"]


def prompt_of(languages):
    """The settings of the prompt without the templates that no post in these languages meets."""
    prompt = settings("prompt")["prompt"]
    template = prompt["template"]
    if isinstance(template, dict):
        prompt["template"] = {name: template[name] for name in templates_of(languages)}
    return prompt


def training_settings(wildcards):
    """What an adapter depends on: of the prompt, only the templates that its own posts meet."""
    blocks = {**settings("base", "finetune"), "labels": answers_of_labels()}
    blocks["prompt"] = prompt_of(GRID.mixtures[wildcards.mixture].all_languages)
    for name in NON_RESULT_KEYS:
        del blocks["finetune"][name]
    return blocks


def answers_of_mixture(wildcards):
    """The checks of the templates that a mixture's posts meet."""
    languages = GRID.mixtures[wildcards.mixture].all_languages
    return list(map(answers_file, templates_of(languages)))


def adapter_to_score(wildcards):
    """The adapter of a row, weights first; the untuned base has none."""
    if not GRID.mixtures[wildcards.mixture].is_trained:
        return []
    weights = adapter_file(wildcards.mixture, wildcards.seed)
    return [weights, adapter_config(weights)]


def adapter_config(weights):
    """What lies beside the weights and says how they are put into the base."""
    return str(Path(weights).with_name("adapter_config.json")) if weights else []


def baseline_posts(wildcards):
    """The posts that a row's baselines learn from: its mixture's; for the untuned base, those of all train languages."""
    mixture = GRID.mixtures[wildcards.mixture]
    return posts_of(mixture.all_languages or EXPERIMENT.languages.train)


def row_pattern(names):
    """A wildcard's constraint to some of the mixtures; to nothing where there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


# What a grid is made of before its tables; the tables' rules take these as inputs.
POSTS_REPORT = [] if IMPORT else [f"{RESULTS}/posts/report.json"]
ADAPTERS = [] if IMPORT else [adapter_file(*row) for row in GRID.adapters]
PREDICTIONS = [prediction_file(*cell) for cell in GRID.cells]
# What the grid needs of the posts, as an object: Snakemake compares no objects, so it reruns nothing.
NEEDS = needs_of(GRID, EXPERIMENT)
COUNTS = f"{RESULTS}/posts/counts"
CHECKED = [] if IMPORT else [f"{RESULTS}/posts/checked.json"]
TEMPLATES = list(EXPERIMENT.prompt.template) if EXPERIMENT.prompt.language == "native" else ["en"]
ANSWERS = [] if IMPORT else list(map(answers_file, TEMPLATES))
ANSWERS_REPORT = [] if IMPORT else [f"{RESULTS}/answers.json"]
TEST_POSTS = [] if IMPORT else [posts_file(name) for name in GRID.test_languages]
BASELINE_ROWS = [] if IMPORT else GRID.rows
BASELINES = [baseline_file(*row) for row in BASELINE_ROWS]


def languages_of_grid():
    """Every language that is trained on or tested."""
    trained = [language for mixture in GRID.mixtures.values() for language in mixture.all_languages]
    return list(dict.fromkeys([*GRID.test_languages, *trained]))


def figure_files(figure):
    """The files of a figure; the report shows the SVG under its view, and the table beside it stays a plain file."""
    stem = f"{RESULTS}/figures/{figure}_{{view}}"
    shown = report(
        f"{stem}.svg",
        caption=f"../report/{figure}.rst",
        category="{view}",
        labels={"figure": figure.replace("_", " "), "view": "{view}"},
    )
    return {
        "svg": shown,
        **{kind: f"{stem}.{kind}" for kind in FORMATS if kind != "svg"},
    }


def table_of(experiment, name):
    """A table of another experiment, which must be finished: nothing here makes it."""
    path = f"results/{experiment}/tables/{name}"
    if not os.path.isfile(path):
        raise WorkflowError(
            f"{path} is missing: run the experiment {experiment!r} first (plain `snakemake` runs `lab`)"
        )
    return path
