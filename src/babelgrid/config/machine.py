"""Settings of the machine; they do not change results."""

from typing import Literal

from pydantic import Field

from babelgrid.config.fields import Number, Settings, Whole


class Machine(Settings):
    """The machine that jobs run on. Changing these settings does not rerun any job."""

    gpus: Whole = Field(default=1, ge=1, le=100_000)
    """Number of GPUs that `estimate` assumes. Snakemake's `--resources gpu=N` sets how many jobs use GPUs at once."""
    gpu: Literal["T4", "V100", "L4", "L40S", "A100", "H100", "H200"] = "A100"
    """Type of GPU that jobs run on, for `estimate`. Without a GPU, it uses the data sheet of this type."""
    jobs_per_gpu: Whole = Field(default=1, ge=1, le=1024)
    """Number of jobs that may share a GPU. In `--resources gpu=N`, set N to the number of GPUs times this number."""
    dollars_per_hour: Number | None = Field(default=None, ge=0, le=1e6)
    """Price per hour of a GPU (or of the machine, if it has none), for `estimate`. If null, no dollars are shown."""
    energy: bool = False
    """Record the energy used by each job that runs the model, measured or estimated by codecarbon (docs/use.md)."""
