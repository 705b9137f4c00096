from pathlib import Path

from babelgrid.config.classify import LabArchive
from babelgrid.lab.archive import write_lab_archive
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    write_lab_archive(
        LabArchive(**snakemake.params.lab),
        snakemake.params.seed,
        int(snakemake.wildcards.number),
        Path(snakemake.output.archive),
        Path(snakemake.output.counts),
    )
