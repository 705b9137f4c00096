"""Settings of the ledger of costs."""

from typing import Annotated

from pydantic import Field

from babelgrid.config.fields import Number, Once, Settings, Text


class Cost(Settings):
    """What the ledger of costs is reckoned with. None of it changes a score."""

    prices: Text | None = None
    """A CSV of your own with an API's prices: model, prompt, completion (dollars per million tokens), date, source.
    Null: the list that is shipped."""
    references: Annotated[list[Text], Once] = Field(default=["gpt-4o"])
    """Models of that list whose price for the same posts is set beside the grid's."""
    dollars_per_kwh: Number | None = Field(default=None, ge=0, le=1e6)
    """Price of electricity, for own hardware. Null leaves it out."""
    watts: Number | None = Field(default=None, gt=0, le=1e9)
    """What the machine draws under load (one GPU's share of it), where no job has measured its energy."""
