# Data that the lab makes itself: posts, and an archive of any size.
LEXICONS = sorted(os.path.relpath(path) for path in Path(workflow.basedir, "src/babelgrid/lab/lexicon").glob("*.yaml"))


if LAB_POSTS:

    rule generate_posts:
        input:
            lexicons=LEXICONS,
        output:
            f"{RESULTS}/lab/posts.csv",
        log:
            f"{RESULTS}/logs/generate_posts.log",
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("generate_posts"),
            lab=settings("posts")["posts"]["lab"],
            seed=EXPERIMENT.seed,
        script:
            "../scripts/generate_posts.py"


if EXPERIMENT.classify:

    rule generate_archive:
        input:
            lexicons=LEXICONS,
        output:
            archive=f"{RESULTS}/archive/shard{{number}}.csv.gz",
            counts=f"{RESULTS}/archive/shard{{number}}.json",
        log:
            f"{RESULTS}/logs/generate_archive/{{number}}.log",
        wildcard_constraints:
            number=r"\d+",
        conda:
            "../../envs/babelgrid.yaml"
        params:
            code=code("generate_archive"),
            lab=settings("classify")["classify"]["lab"],
            seed=EXPERIMENT.seed,
        script:
            "../scripts/generate_archive.py"
