# The experiment, its grid, and the settings that rules depend on.
import json
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Use the library from this checkout, here and in all jobs.
sys.path.insert(0, os.path.join(workflow.basedir, "src"))
search_path = [sys.path[0], os.environ.get("PYTHONPATH")]
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, search_path)))

from babelgrid.config.finetune import NON_RESULT_KEYS
from babelgrid.config.load import load_experiment
from babelgrid.config.prompt import label_settings
from babelgrid.errors import UserError
from babelgrid.grid import build_grid, imported_mixtures, needs_of
from babelgrid.mixture import TRANSLATED, split_row, trained_twins
from babelgrid.resources import GPU_JOB_THREADS, cpu_memory_mb, cpu_threads, has_gpu, host_memory_mb, minutes
from babelgrid.results_layout import ResultsLayout
from babelgrid.runtime.code_hash import hash_code

try:
    EXPERIMENT = load_experiment(config, workflow.configfiles, workflow.config_settings.config_args)
    GRID = build_grid(EXPERIMENT)
except UserError as error:
    raise WorkflowError(str(error)) from None

RESULTS = f"results/{EXPERIMENT.experiment}"
FILES = ResultsLayout(RESULTS)
# Rows that an endpoint answers, with their number of examples.
API_ROWS = EXPERIMENT.api.rows if EXPERIMENT.api else {}
# Rows that the base answers, untuned or with an adapter.
NAMES_OF_BASE = [name for name in GRID.own if name not in API_ROWS]
ROWS_OF_BASE = [row for row in GRID.rows if row[0] in NAMES_OF_BASE]
CELLS_OF_BASE = [cell for cell in GRID.cells if cell[0] in NAMES_OF_BASE]
# Rows in which the base reads posts translated into the pivot.
PIVOT = EXPERIMENT.translate.pivot if EXPERIMENT.translate else None
TRANSLATED_ROWS = [row for row in GRID.rivals if GRID.mixtures[row[0]].system in TRANSLATED]
TRANSLATED_NAMES = list(dict.fromkeys(name for name, _ in TRANSLATED_ROWS))
# Imported predictions: there are no posts, no base, no adapters and no baselines.
IMPORT = EXPERIMENT.predictions.imported if EXPERIMENT.predictions else None
# The lab's small base needs one core and no GPU. Other bases use the GPU if there is one, else one core per job, or more
# if the memory does not suffice for one job per core.
LAB_BASE = EXPERIMENT.base.lab if EXPERIMENT.base else None
LAB_POSTS = EXPERIMENT.posts.lab if EXPERIMENT.posts else None
USES_GPU = LAB_BASE is None
MODEL_MINUTES = minutes(EXPERIMENT.base) if EXPERIMENT.base else 0
# Resources of every job that runs the model. Memory and time grow with each attempt.
MODEL_RESOURCES = {
    "gpu": lambda wildcards: int(USES_GPU and not runs_on_cpu()),
    "mem_mb": lambda wildcards, attempt: attempt * model_mb(),
    "runtime": lambda wildcards, attempt: attempt * MODEL_MINUTES,
    "jobs_per_gpu": EXPERIMENT.machine.jobs_per_gpu,
    "energy": int(EXPERIMENT.machine.energy),
}


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


def runs_on_cpu():
    """Return whether jobs run on this machine, and it has no GPU. Known only once the workflow is parsed."""
    return workflow.local_exec and not workflow.remote_exec and not has_gpu()


def model_mb():
    """Return the memory, in MB, that a job with the model requests at its first attempt."""
    if not runs_on_cpu():
        return host_memory_mb(EXPERIMENT.base)
    posts_at_once = EXPERIMENT.finetune.micro_batch_size or EXPERIMENT.finetune.batch_size
    tokens = max(posts_at_once * EXPERIMENT.prompt.max_post_tokens, EXPERIMENT.predict.tokens_per_batch // 10)
    return cpu_memory_mb(EXPERIMENT.base, tokens)


def model_threads(wildcards):
    """Return the threads of a job that runs the model."""
    if not USES_GPU:
        return 1
    return cpu_threads(model_mb()) if runs_on_cpu() else GPU_JOB_THREADS


def code(script, module=None):
    """Return the hash of a script and of the modules it imports. As a parameter, it reruns the rule when code changes.

    module: file under src/babelgrid of one more module, which the script imports by name.
    """
    hashed = hash_code(os.path.join(workflow.basedir, "workflow/scripts", f"{script}.py"))
    return hashed if module is None else [hashed, hash_code(os.path.join(workflow.basedir, "src/babelgrid", module))]


def settings(*blocks):
    """Return blocks of the config as plain builtins, which Snakemake can compare."""
    dumped = EXPERIMENT.model_dump(mode="json", by_alias=True, include=set(blocks))
    return {block: dumped[block] for block in blocks}


def mixture_settings(name):
    """Return the composition of a mixture as plain builtins."""
    return GRID.mixtures[name].to_settings()


def templates_of(languages):
    """Return the languages of the templates used for posts in these languages."""
    return list(languages) if EXPERIMENT.prompt.language == "native" else ["en"]


def prompt_of(languages):
    """Return the settings of the prompt with only the templates used for posts in these languages."""
    prompt = settings("prompt")["prompt"]
    template = prompt["template"]
    if isinstance(template, dict):
        prompt["template"] = {name: template[name] for name in templates_of(languages)}
    return prompt


def training_settings(wildcards):
    """Return the settings that an adapter depends on, with only the templates its own posts use."""
    blocks = {**settings("base", "finetune"), "labels": label_settings(EXPERIMENT.labels)}
    blocks["prompt"] = prompt_of(languages_trained_on(wildcards))
    for name in NON_RESULT_KEYS:
        del blocks["finetune"][name]
    return blocks | ({"pivot": PIVOT} if trains_on_translations(wildcards) else {})


def scoring_settings(wildcards):
    """Return the settings that the predictions of a row depend on."""
    blocks = {**settings("base", "prompt", "predict"), "labels": label_settings(EXPERIMENT.labels)}
    return blocks | ({"pivot": PIVOT} if wildcards.mixture in TRANSLATED_NAMES else {})


def trains_on_translations(wildcards):
    return GRID.mixtures[wildcards.mixture].system == "translate_train"


def languages_trained_on(wildcards):
    """Return the languages of the texts that a row is trained on."""
    return [PIVOT] if trains_on_translations(wildcards) else GRID.mixtures[wildcards.mixture].all_languages


def row_pattern(names):
    """Return a wildcard constraint that matches these mixtures; it matches nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def languages_of_grid():
    """Return every train and test language."""
    trained = [language for mixture in GRID.mixtures.values() for language in mixture.all_languages]
    return list(dict.fromkeys([*GRID.test_languages, *trained]))
