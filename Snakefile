# babelgrid: which languages must be labelled, and what does the base's pre-training do to the rest?
# One config file is one experiment; everything it makes is under results/<experiment>/.
from snakemake.utils import min_version

min_version("9.27")

if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/posts.smk"
include: "workflow/rules/base.smk"
include: "workflow/rules/grid.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    localrule: True
    input:
        f"{RESULTS}/posts/report.json",
        TABLES,
        FIGURES,


rule prefetch:
    localrule: True
    input:
        f"{RESULTS}/base.json",
        f"{RESULTS}/answers.json",


rule posts:
    localrule: True
    input:
        f"{RESULTS}/posts/report.json",
        f"{RESULTS}/posts/checked.json",


rule adapters:
    localrule: True
    input:
        [adapter_file(mixture, seed) for mixture, seed in GRID.adapters],


rule predictions:
    localrule: True
    input:
        [prediction_file(*cell) for cell in GRID.cells],


rule tables:
    localrule: True
    input:
        TABLES,


rule figures:
    localrule: True
    input:
        FIGURES,
