# The base: pre-trained by the lab, downloaded, or a folder; after these rules nothing knows which.
if LAB_BASE:

    rule pretrain_base:
        input:
            lexicons=LEXICONS,
        output:
            base=directory(f"{RESULTS}/base"),
            usage=usage_file("pretrain_base"),
        log:
            f"{RESULTS}/logs/pretrain_base.log",
        benchmark:
            f"{RESULTS}/benchmarks/pretrain_base.tsv"
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


rule prefetch_base:
    input:
        lab=f"{RESULTS}/base" if LAB_BASE else [],
    output:
        f"{RESULTS}/base.json",
    log:
        f"{RESULTS}/logs/prefetch_base.log",
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("prefetch_base"),
        settings=settings("base"),
    script:
        "../scripts/prefetch_base.py"


rule check_answers:
    input:
        base=f"{RESULTS}/base.json",
    output:
        f"{RESULTS}/answers.json",
    log:
        f"{RESULTS}/logs/check_answers.log",
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("check_answers"),
        settings=settings("prompt", "labels"),
    script:
        "../scripts/check_answers.py"
