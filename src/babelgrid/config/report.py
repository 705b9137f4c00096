"""Settings of figures and of the report."""

from typing import Literal

from pydantic import Field

from babelgrid.config.fields import Settings, Whole


class Figures(Settings):
    """How figures are drawn."""

    columns: Literal[1, 2] = 2
    """Number of text columns that a figure spans in print: one is 3.4 inches wide, two are 7."""


class Report(Settings):
    """What the report shows."""

    show_texts: bool = False
    """Show the texts of example posts. If false, the report contains only their ids."""
    examples: Whole = Field(default=3, ge=0, le=20)
    """Number of example posts for each kind of error in a cell."""
