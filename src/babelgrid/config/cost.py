"""Settings of the cost ledger."""

from typing import Annotated

from pydantic import Field

from babelgrid.config.fields import Number, Once, Settings, Text


class Cost(Settings):
    """Prices and power draw for the cost ledger. They do not change scores."""

    prices: Text | None = None
    """Your own CSV of API prices: model, prompt, completion (dollars per million tokens), date, source.
    Null: the list that ships with babelgrid."""
    references: Annotated[list[Text], Once] = Field(default=["gpt-4o"])
    """Models of that list whose price for the same posts is compared with the cost of the grid."""
    dollars_per_kwh: Number | None = Field(default=None, ge=0, le=1e6)
    """Price of electricity, for your own hardware. Null leaves it out."""
    watts: Number | None = Field(default=None, gt=0, le=1e9)
    """Power draw of the machine under load (one GPU's share of it), used if no job has measured its energy."""
