"""Parse the folder's Snakefile once and print the wall and CPU seconds, without Snakemake's imports.

Usage: python -m benchmarks.scale.parse CONFIG
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
        workflow.dag()  # only parses; the graph is built later, by methods of the result
        print(time.perf_counter() - wall, time.process_time() - cpu)
