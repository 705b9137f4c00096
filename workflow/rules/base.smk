# The base: pre-trained by the lab, downloaded, or a folder; after these rules nothing knows which.
if EXPERIMENT.base.lab:

    rule pretrain_base:
        input:
            code=code("pretrain_base"),
            lexicons=LEXICONS,
            posts=f"{RESULTS}/lab/posts.csv" if EXPERIMENT.posts.lab else [],
        output:
            directory(f"{RESULTS}/base"),
        params:
            lab=settings("base")["base"]["lab"],
            seed=EXPERIMENT.seed,
        threads: 2
        log:
            f"{RESULTS}/logs/pretrain_base.log",
        benchmark:
            f"{RESULTS}/benchmarks/pretrain_base.tsv"
        conda:
            "../../envs/babelgrid.yaml"
        script:
            "../scripts/pretrain_base.py"


rule prefetch_base:
    localrule: True
    input:
        code=code("prefetch_base"),
        lab=f"{RESULTS}/base" if EXPERIMENT.base.lab else [],
    output:
        f"{RESULTS}/base.json",
    params:
        settings=settings("base"),
    log:
        f"{RESULTS}/logs/prefetch_base.log",
    conda:
        "../../envs/babelgrid.yaml"
    script:
        "../scripts/prefetch_base.py"


rule check_answers:
    localrule: True
    input:
        code=code("check_answers"),
        base=f"{RESULTS}/base.json",
    output:
        f"{RESULTS}/answers.json",
    params:
        settings=settings("prompt", "labels"),
    log:
        f"{RESULTS}/logs/check_answers.log",
    conda:
        "../../envs/babelgrid.yaml"
    script:
        "../scripts/check_answers.py"
