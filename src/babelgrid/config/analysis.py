"""Settings of scores, exposure and figures."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from babelgrid.config.fields import (
    LabelName,
    Number,
    Once,
    OnceAsSpelled,
    PathName,
    Settings,
    Text,
    Whole,
    refuse_twice,
)

SHIPPED_SHARES = ("lab", "llama2", "commoncrawl_2023_50", "fineweb2")
"""Share tables that come with babelgrid, by name."""

View = Annotated[dict[LabelName, Annotated[list[Text], Once]], OnceAsSpelled]
"""Class name -> the labels whose probabilities are summed into it; posts with other labels are left out."""


class Score(Settings):
    """How cells are scored."""

    metric: Literal["macro_f1", "accuracy", "weighted_f1", "mcc"] = "macro_f1"
    """The score that matrices and figures show."""
    bootstrap: Whole = Field(default=1000, ge=100, le=100_000)
    """Resamples of a cell's posts (and seeds) for its 95% interval."""
    min_posts: Whole = Field(default=50, ge=1, le=10**9)
    """A cell with fewer posts than this is greyed out in figures and never ranked."""
    opposites: dict[Text, list[Text]] = Field(default={})
    """View -> two of its classes that are each other's opposite, e.g. `stance: [pro, anti]`: how often one is answered
    for the other is counted."""


class Exposure(Settings):
    """What is known about the base's pre-training."""

    tables: list[Text] = Field(default=["llama2", "commoncrawl_2023_50", "fineweb2"], min_length=1)
    """Share tables: shipped ones by name (lab, llama2, commoncrawl_2023_50, fineweb2), or paths of CSVs of your own
    (language, share in percent). Figures use the first."""
    pretraining_tokens: Number | None = Field(default=None, gt=0, le=1e18)
    """Tokens of the base's whole pre-training (9e12 for Llama 3.2), to set fine-tuning tokens in proportion.
    The lab counts its own."""

    @field_validator("tables")
    @classmethod
    def _give_each_table_a_name_of_its_own(cls, tables: list[str]) -> list[str]:
        for table in tables:
            if table not in SHIPPED_SHARES and Path(table).stem in SHIPPED_SHARES:
                raise ValueError(
                    f"{table!r}: a table is called as its file, and that is a shipped table's name; rename it"
                )
        return refuse_twice(tables, lambda table: Path(table).stem)


class Intervention(Settings):
    """The same grid on another base, to tell what exposure does."""

    against: PathName
    """Name of the experiment that this one is set against; its tables are under `results/<against>/`."""


class Plan(Settings):
    """A budget of labels, to be spent on the languages that help most."""

    budget: Whole = Field(ge=1, le=10**9)
    """Posts to be labelled in all."""
    step: Whole = Field(default=10, ge=1, le=10**9)
    """Posts that are given to a language at a time."""
    view: Text | None = None
    """The view whose scores the plan is for; null takes the first."""
    checks: PathName | None = None
    """Name of the experiment whose plan this one trains and checks; set by the overlay that `plan` writes."""
