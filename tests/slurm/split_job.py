"""Run a job that records in runs/split which process began and which was refused, and takes half a minute."""

import os
import sys
import time
from pathlib import Path

from babelgrid.runtime.files import write_text
from babelgrid.runtime.job import job

if __name__ == "__main__":
    out, log = sys.argv[1:]
    with Path("runs/split").open("a") as said:
        said.write(f"began {os.getpid()}\n")
        said.flush()
        try:
            with job(log):
                # The first process keeps running until its successor has begun.
                end = time.monotonic() + 240
                while Path("runs/split").read_text().count("began") < 2 and time.monotonic() < end:
                    time.sleep(0.5)
                time.sleep(1)
                write_text(out, f"{os.getpid()}")
        except SystemExit:
            said.write(f"refused {os.getpid()}\n")
            raise
