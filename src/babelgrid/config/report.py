"""Settings of figures and of the report."""

from typing import Literal

from pydantic import Field

from babelgrid.config.fields import Settings, Whole


class Figures(Settings):
    """How figures are drawn."""

    columns: Literal[1, 2] = 2
    """Columns of text that a figure spans in print: one is 3.4 inches wide, two are 7."""


class Report(Settings):
    """What the report shows."""

    show_texts: bool = False
    """Show the texts of example posts. Left out, the report holds no text of a post, only ids."""
    examples: Whole = Field(default=3, ge=0, le=20)
    """Example posts for each kind of error of a cell."""
