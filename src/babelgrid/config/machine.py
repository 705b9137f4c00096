"""Settings of the machine: none of them changes a result."""

from typing import Literal

from pydantic import Field

from babelgrid.config.fields import Number, Settings, Whole


class Machine(Settings):
    """What jobs run on. Nothing is made again when this changes."""

    gpus: Whole = Field(default=1, ge=1, le=100_000)
    """GPUs that `estimate` reckons with; how many jobs of them run at once is Snakemake's `--resources gpu=N`."""
    gpu: Literal["T4", "V100", "L4", "L40S", "A100", "H100", "H200"] = "A100"
    """The GPU that jobs will have, for `estimate`: on a machine without one it goes by the data sheet."""
    jobs_per_gpu: Whole = Field(default=1, ge=1, le=1024)
    """Jobs that may share a GPU; give `--resources gpu=N` as many times more."""
    dollars_per_hour: Number | None = Field(default=None, ge=0, le=1e6)
    """Price of an hour of one GPU (or of the machine, where there is none), for `estimate`; null leaves it out."""
    energy: bool = False
    """Record the energy that each job with the model takes, as codecarbon measures or estimates it (docs/use.md)."""
