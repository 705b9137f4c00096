# The experiment, its grid, and the settings that rules depend on.
import json
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The library is used from this checkout, here and in every job that is started from here.
sys.path.insert(0, os.path.join(workflow.basedir, "src"))
search_path = [sys.path[0], os.environ.get("PYTHONPATH")]
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, search_path)))

from babelgrid.config.finetune import NON_RESULT_KEYS
from babelgrid.config.load import load_experiment
from babelgrid.errors import UserError
from babelgrid.grid import build_grid, imported_mixtures, needs_of
from babelgrid.resources import host_memory_mb, minutes
from babelgrid.runtime.code_hash import hash_code

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


def code(script, module=None):
    """The hash of a script and of the modules behind it, as a parameter: an edit of them makes the files again.

    module: the file of one more module under src/babelgrid, which the script imports by name.
    """
    hashed = hash_code(os.path.join(workflow.basedir, "workflow/scripts", f"{script}.py"))
    return hashed if module is None else [hashed, hash_code(os.path.join(workflow.basedir, "src/babelgrid", module))]


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


def row_pattern(names):
    """A wildcard's constraint to some of the mixtures; to nothing where there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def languages_of_grid():
    """Every language that is trained on or tested."""
    trained = [language for mixture in GRID.mixtures.values() for language in mixture.all_languages]
    return list(dict.fromkeys([*GRID.test_languages, *trained]))
