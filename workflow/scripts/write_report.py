from pathlib import Path

from babelgrid.config.report import Report
from babelgrid.recorded import check_adapters, check_predictions
from babelgrid.report.page import write_report
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    facts = snakemake.params.facts
    base = Path(snakemake.input.base) if snakemake.input.base else None
    check_adapters(map(Path, snakemake.input.adapters), snakemake.params.config, base)
    check_predictions(map(Path, snakemake.input.predictions), snakemake.params.config, base)
    write_report(
        {Path(path).stem: Path(path) for path in [*snakemake.input.tables, snakemake.input.confusions]},
        posts={Path(path).stem: Path(path) for path in snakemake.input.posts},
        posts_report=next(map(Path, snakemake.input.posts_report), None),
        base=base,
        benchmarks=Path(snakemake.params.benchmarks),
        experiment=facts["experiment"],
        config=snakemake.params.config,
        views=facts["views"],
        metric=facts["metric"],
        share_table=facts["table"],
        settings=Report(**facts["report"]),
        note=facts["note"],
        seed=facts["seed"],
        out=Path(snakemake.output[0]),
    )
