import sys
from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.config.base import Base
from babelgrid.operations.doctor import examine
from babelgrid.runtime.job import job

problems = 0
with job(snakemake.log[0]):
    base = Base(**snakemake.params.settings["base"])
    requirements = Path(snakemake.params.requirements)
    for finding in examine(requirements, Path("results"), base, snakemake.params.job_mb, snakemake.params.words):
        print(finding, flush=True)
        problems += finding.problem
if problems:
    sys.exit(f"\nbabelgrid: {problems} of the checks above found a problem to fix\n")
