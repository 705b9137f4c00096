"""Parse the Snakefile of the folder once and print the seconds that took, Snakemake's own imports not counted.

python -m benchmarks.scale.parse CONFIG
"""

import sys
import time
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, ResourceSettings

if __name__ == "__main__":
    with SnakemakeApi() as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=2),
            config_settings=ConfigSettings(configfiles=[Path(sys.argv[1])]),
        )
        wall, cpu = time.perf_counter(), time.process_time()
        workflow.dag()  # parses; the graph itself is built by what is called on it
        print(time.perf_counter() - wall, time.process_time() - cpu)
