"""Settings of scores, exposure, the intervention and the plan."""

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
"""Names of the share tables that ship with babelgrid."""
ORIGINS = {"llama2": "Llama 2", "commoncrawl_2023_50": "Common Crawl", "fineweb2": "FineWeb-2"}
"""Shipped share table -> the model or corpus that it describes."""

View = Annotated[dict[LabelName, Annotated[list[Text], Once]], OnceAsSpelled]
"""Class name -> labels whose probabilities are summed into it; posts with other labels are excluded."""


class Score(Settings):
    """How cells are scored."""

    metric: Literal["macro_f1", "accuracy", "weighted_f1", "mcc"] = "macro_f1"
    """Metric shown in matrices and figures."""
    bootstrap: Whole = Field(default=1000, ge=100, le=100_000)
    """Number of bootstrap resamples of a cell's posts (and seeds) for its 95% interval."""
    min_posts: Whole = Field(default=50, ge=1, le=10**9)
    """Cells with fewer posts than this are greyed out in figures and never ranked."""
    opposites: dict[Text, list[Text]] = Field(default={})
    """View -> two opposite classes of it, e.g. `stance: [pro, anti]`; babelgrid counts how often one is predicted for
    the other."""


class Exposure(Settings):
    """What is known about the base's pre-training data."""

    tables: list[Text] = Field(default=["llama2", "commoncrawl_2023_50", "fineweb2"], min_length=1)
    """Share tables: names of shipped tables (lab, llama2, commoncrawl_2023_50, fineweb2), or paths of your own CSVs
    (language, share in percent). Figures use the first table."""
    pretraining_tokens: Number | None = Field(default=None, gt=0, le=1e18)
    """Total number of pre-training tokens of the base (9e12 for Llama 3.2), to which fine-tuning tokens are compared.
    For the lab's base, babelgrid counts them itself."""

    @field_validator("tables")
    @classmethod
    def _give_each_table_a_name_of_its_own(cls, tables: list[str]) -> list[str]:
        for table in tables:
            if table not in SHIPPED_SHARES and Path(table).stem in SHIPPED_SHARES:
                raise ValueError(
                    f"{table!r}: a table is named after its file, and a shipped table has this name; rename the file"
                )
        return refuse_twice(tables, lambda table: Path(table).stem)

    def origin_note(self, hub_name: str | None) -> str:
        """Return a sentence for figures if the first table describes other data than the base's, else an empty string.

        hub_name: the base's name on the Hub, if it has one. Your own table and the lab's are taken to be the base's.
        """
        table = self.tables[0]
        is_llama2 = "llama-2-" in (hub_name or "").lower()
        if table not in ORIGINS or (table == "llama2" and is_llama2):
            return ""
        return f"Exposure is that of {ORIGINS[table]}, not of this base."


class Intervention(Settings):
    """A comparison with the same grid on another base, to measure the effect of exposure."""

    against: PathName
    """Name of the experiment to compare with; its tables are in `results/<against>/`."""


class Plan(Settings):
    """A labelling budget, to be spent on the languages where it helps most."""

    budget: Whole = Field(ge=1, le=10**9)
    """Total number of posts to label."""
    step: Whole = Field(default=10, ge=1, le=10**9)
    """Number of posts allocated to a language at a time."""
    view: Text | None = None
    """View whose scores the plan is based on; null uses the first."""
    checks: PathName | None = None
    """Name of the experiment whose plan this one trains and checks; set in the overlay that `plan` writes."""
