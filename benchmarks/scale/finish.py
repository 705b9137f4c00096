"""Finish a grid without computing anything: Snakemake runs it, but each job only writes placeholder outputs.

Snakemake does the rest as usual: it orders the jobs, checks them, and records parameters and inputs for each file.
Existing outputs (synthetic predictions) are kept. Run in an experiment's folder:
python -m benchmarks.scale.finish --cores 2 --configfile grid.yaml
"""

import sys
from pathlib import Path
from typing import Any

from snakemake import cli
from snakemake.executors.touch import Executor
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo


def write_outputs(executor: Any, job: Any) -> None:
    """Write each missing output instead of running the job."""
    for output in map(Path, job.output):
        if not output.exists():
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(f"{output}\n", encoding="utf-8")
    submitted = SubmittedJobInfo(job=job)
    executor.report_job_submission(submitted)
    executor.report_job_success(submitted)


if __name__ == "__main__":
    Executor.run_job = write_outputs
    cli.main(["--touch", "--quiet", "all", *sys.argv[1:]])
