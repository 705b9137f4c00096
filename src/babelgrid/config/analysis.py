"""Settings of scores, exposure and figures."""

from typing import Literal

from pydantic import Field

from babelgrid.config.fields import Settings, Text

View = dict[Text, list[Text]]
"""Class name -> the labels whose probabilities are summed into it; posts with other labels are left out."""


class Score(Settings):
    """How cells are scored."""

    metric: Literal["macro_f1", "accuracy", "weighted_f1", "mcc"] = "macro_f1"
    """The score that matrices and figures show."""
    bootstrap: int = Field(default=1000, ge=100)
    """Resamples of a cell's posts (and seeds) for its 95% interval."""
    min_posts: int = Field(default=50, ge=1)
    """A cell with fewer posts than this is greyed out in figures and never ranked."""


class Exposure(Settings):
    """What is known about the base's pre-training."""

    tables: list[Text] = Field(default=["llama2", "commoncrawl_2023_50", "fineweb2"], min_length=1)
    """Share tables: shipped ones by name (lab, llama2, commoncrawl_2023_50, fineweb2), or paths of CSVs of your own
    (language, share in percent). Figures use the first."""
    pretraining_tokens: float | None = Field(default=None, gt=0)
    """Tokens of the base's whole pre-training (9e12 for Llama 3.2), to set fine-tuning tokens in proportion.
    The lab counts its own."""
