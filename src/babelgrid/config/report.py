"""Settings of the report."""

from pydantic import Field

from babelgrid.config.fields import Settings


class Report(Settings):
    """What the report shows."""

    show_texts: bool = False
    """Show the texts of example posts. Left out, the report holds no text of a post, only ids."""
    examples: int = Field(default=3, ge=0, le=20)
    """Example posts for each kind of error of a cell."""
