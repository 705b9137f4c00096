# From the user's files to clean posts.
# The setting exists only if rows read translations, so that without them nothing changes.
TRANSLATE_SETTINGS = {}
if EXPERIMENT.translate:
    TRANSLATE_SETTINGS["translate"] = EXPERIMENT.translate.model_dump(mode="json", include={"column", "lab", "pivot"})
NEEDED_TRANSLATIONS = {"translations": asdict(NEEDS.translations)} if NEEDS.translations else {}


rule prepare_posts:
    input:
        sources=f"{RESULTS}/lab/posts.csv" if LAB_POSTS else trackable(source_files()),
    output:
        posts=ensure(FILES.posts("all"), non_empty=True),
        dropped=f"{RESULTS}/posts/dropped.csv",
    log:
        FILES.log("prepare_posts"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("prepare_posts"),
        settings={**settings("posts", "labels"), **TRANSLATE_SETTINGS},
        stamps=stamps(source_files()),
        aliases=EXPERIMENT.languages.aliases,
        seed=EXPERIMENT.seed,
    script:
        "../scripts/prepare_posts.py"


# Posts are prepared independently of the grid, then counted by language, in one file for each language. It changes only
# with the language's rows. After a checkpoint Snakemake evaluates again which jobs have to run, so
# a new file of posts in another language, or a setting that no row uses, trains nothing.
checkpoint count_labels:
    input:
        posts=FILES.posts("all"),
    output:
        directory(COUNTS),
    log:
        FILES.log("count_labels"),
    priority: 100
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("count_labels"),
        needs=NEEDS,
    script:
        "../scripts/count_labels.py"


rule extract_posts:
    input:
        counts=counts_of,
    output:
        ensure(FILES.posts("{language}"), non_empty=True),
    log:
        FILES.log("extract_posts/{language}"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("extract_posts"),
        # Not an input: the counts contain a digest of this language's rows.
        posts=FILES.posts("all"),
    script:
        "../scripts/extract_posts.py"


# In files of their own, so that translations rerun only the jobs that read them.
use rule extract_posts as extract_translations with:
    input:
        counts=translated_counts_of,
    output:
        ensure(FILES.translated("{language}"), non_empty=True),
    log:
        FILES.log("extract_translations/{language}"),
    params:
        code=code("extract_posts"),
        posts=FILES.posts("all"),
        translated=True,


# No job depends on this check, since every change of the grid would then retrain all adapters. It runs early to report
# mistakes.
rule check_posts:
    input:
        counts=COUNTS,
    output:
        CHECKED,
    log:
        FILES.log("check_posts"),
    priority: 100
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("check_posts"),
        needs=NEEDS,
        # The same as plain builtins, so that a changed grid is checked again.
        grid={
            "mixtures": [mixture_settings(name) for name in GRID.own],
            "test": list(GRID.test_languages),
            "labels": list(EXPERIMENT.labels),
            "budget": EXPERIMENT.mixtures.posts,
            **NEEDED_TRANSLATIONS,
        },
    script:
        "../scripts/check_posts.py"


rule count_tokens:
    input:
        posts=FILES.posts("all"),
        base=f"{RESULTS}/base.json",
    output:
        ensure(f"{RESULTS}/posts/tokens.parquet", non_empty=True),
    log:
        FILES.log("count_tokens"),
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("count_tokens"),
        settings=settings("prompt"),
        languages=list(dict.fromkeys([*EXPERIMENT.languages.train, *GRID.test_languages])),
    script:
        "../scripts/count_tokens.py"


rule report_posts:
    input:
        posts=FILES.posts("all"),
        dropped=f"{RESULTS}/posts/dropped.csv",
        tokens=f"{RESULTS}/posts/tokens.parquet",
    output:
        json=f"{RESULTS}/posts/report.json",
        markdown=f"{RESULTS}/posts/report.md",
    log:
        FILES.log("report_posts"),
    localrule: True
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("report_posts"),
        labels=list(EXPERIMENT.labels),
    script:
        "../scripts/report_posts.py"
