# babelgrid: one config file describes one experiment; its results are in results/<experiment>/.
from snakemake.utils import min_version

min_version("9.27")


if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/paths.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/lab.smk"
include: "workflow/rules/predictions.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/transfer.smk"


# Imported predictions have no jobs that cost anything.
if not IMPORT:

    include: "workflow/rules/cost.smk"


include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/operations.smk"
include: "workflow/rules/classify.smk"
include: "workflow/rules/release.smk"


rule all:
    default_target: True
    input:
        # Listed here too, so that a deleted file is made again although its tables exist.
        CHECKED,
        ANSWERS_REPORT,
        POSTS_REPORT,
        ADAPTERS,
        PREDICTIONS,
        TABLES,
        FIGURES,
        REPORT,
    localrule: True


rule prefetch:
    input:
        f"{RESULTS}/base.json",
        f"{RESULTS}/answers.json",
        ENCODERS,
    localrule: True


rule posts:
    input:
        f"{RESULTS}/posts/report.json",
        CHECKED,
    localrule: True


rule predictions:
    input:
        PREDICTIONS,
    localrule: True


rule figures:
    input:
        FIGURES,
    localrule: True
