# The base model: pre-trained by the lab, downloaded, converted from GGUF, or in a local folder. Later rules treat all
# of them alike.
if LAB_BASE:

    rule pretrain_base:
        input:
            lexicons=LEXICONS,
        output:
            base=directory(f"{RESULTS}/base"),
            usage=FILES.usage("pretrain_base"),
        log:
            FILES.log("pretrain_base"),
        benchmark:
            FILES.benchmark("pretrain_base")
        # Before the other jobs: once one of them runs, two cores are hardly ever free at the same time.
        priority: 100
        conda:
            "../../envs/babelgrid.yaml"
        threads: 2
        resources:
            energy=int(EXPERIMENT.machine.energy),
        params:
            code=code("pretrain_base"),
            lab=settings("base")["base"]["lab"],
            seed=EXPERIMENT.seed,
        script:
            "../scripts/pretrain_base.py"


if EXPERIMENT.base.gguf:

    # A local rule, as it may need a network.
    rule convert_base:
        input:
            trackable(gguf_files()),
        output:
            directory(f"{RESULTS}/base"),
        log:
            FILES.log("convert_base"),
        localrule: True
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("convert_base"),
            gguf={"gguf": EXPERIMENT.base.gguf, "revision": EXPERIMENT.base.revision},
            stamps=stamps(gguf_files()),
        script:
            "../scripts/convert_base.py"


rule prefetch_base:
    input:
        made=f"{RESULTS}/base" if LAB_BASE or EXPERIMENT.base.gguf else [],
        folder=trackable(base_files()),
    output:
        f"{RESULTS}/base.json",
    log:
        FILES.log("prefetch_base"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("prefetch_base"),
        settings=settings("base"),
        stamps=stamps(base_files()),
    script:
        "../scripts/prefetch_base.py"


# Jobs that depend on this check also depend on the same templates and labels, so rerunning the check reruns nothing
# else. Each check reads all templates, so that a mistake in any of them is found before training.
rule check_answers:
    input:
        base=f"{RESULTS}/base.json",
    output:
        FILES.answers("{template}"),
    log:
        FILES.log("check_answers/{template}"),
    wildcard_constraints:
        template=row_pattern(TEMPLATES),
    priority: 100
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("check_answers"),
        settings=lambda wildcards: {
            "prompt": prompt_of([wildcards.template]),
            "labels": label_settings(EXPERIMENT.labels),
        },
        # An object, which Snakemake does not compare: changes to other templates rerun nothing.
        prompt=EXPERIMENT.prompt,
    script:
        "../scripts/check_answers.py"


# For readers only. No job depends on this file, since it changes with every template.
rule collect_answers:
    input:
        ANSWERS,
    output:
        f"{RESULTS}/answers.json",
    log:
        FILES.log("collect_answers"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("collect_answers"),
        templates=TEMPLATES,
    script:
        "../scripts/collect_answers.py"
