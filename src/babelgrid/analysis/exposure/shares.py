"""What is known about how much of each language a base met in pre-training."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from io import StringIO
from pathlib import Path

import pandas as pd

from babelgrid.config.fields import canonical_language
from babelgrid.errors import UserError, nearest
from babelgrid.runtime.files import read_json

LAB = "lab"
QUANTITIES = {
    "llama2": "share of Llama 2's pre-training documents, %",
    "commoncrawl_2023_50": "share of Common Crawl's pages (CC-MAIN-2023-50), %",
    "fineweb2": "words in FineWeb-2, 10⁹",
}
"""The shipped tables (`shares/<name>.csv`), and what their numbers are."""

_COLUMNS = ("share", "gigawords")


@dataclass(frozen=True)
class ShareTable:
    """Pre-training exposure by language. A language that is not in it is unknown, not zero."""

    name: str
    quantity: str
    """What the values are: `share` (percent of the whole) or `gigawords` (an amount)."""
    values: Mapping[str, float]

    @property
    def column(self) -> str:
        """Name of its column in exposure.csv."""
        return f"{self.quantity}_{self.name}"

    @property
    def is_percentage(self) -> bool:
        """Whether the values are percent of the whole."""
        return self.quantity == "share"


def load_shares(table: str, lab_exposure: str | Path | None = None) -> ShareTable:
    """Load a share table: a shipped one by name, the lab's exact counts (`lab`), or a CSV of your own by path.

    A CSV has the columns language and share (percent); lines that start with `#` are comments.
    lab_exposure: the lab's exposure.json, with its tokens by language and in total.
    Raises `UserError` for an unknown name, an unreadable file, a language twice, a code that is not one, a share that
    is not between 0 and 100, or shares that add up to more than 100.
    """
    if table == LAB:
        return _read_lab(lab_exposure)
    if table in QUANTITIES:
        text = (resources.files("babelgrid.analysis.exposure") / "share_tables" / f"{table}.csv").read_text(
            encoding="utf-8"
        )
        return _parse(table_name(table), text, table)
    if not Path(table).is_file():
        names = [LAB, *QUANTITIES]
        raise UserError(
            f"exposure.tables: {table!r} is neither a shipped table{nearest(table, names)} nor a file. "
            f"Allowed: {', '.join(names)}, or the path of a CSV with the columns language and share"
        )
    try:
        return _parse(table_name(table), Path(table).read_text(encoding="utf-8"), table)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{table}: cannot be read as UTF-8 text ({error})") from error


def table_name(table: str) -> str:
    """Return what a table is called in exposure.csv: its own name, or that of its file without the ending."""
    return table if table == LAB or table in QUANTITIES else Path(table).stem


def describe_quantity(table: str) -> str:
    """Say in a few words what a table's numbers are, for an axis."""
    if table == LAB:
        return "share of the base's pre-training tokens, %"
    return QUANTITIES.get(table, f"share of pre-training ({table_name(table)}), %")


def _read_lab(lab_exposure: str | Path | None) -> ShareTable:
    if lab_exposure is None:
        raise UserError(
            f"exposure.tables: {LAB!r} holds the exact counts of a base that the lab pre-trained, and this base is "
            f"another one. Take it out of the list, or choose among {', '.join(QUANTITIES)}"
        )
    counts = read_json(lab_exposure)
    shares = {language: 100 * tokens / counts["total"] for language, tokens in counts["tokens"].items()}
    return ShareTable(LAB, "share", shares)


def _parse(name: str, text: str, source: str) -> ShareTable:
    try:
        frame = pd.read_csv(
            StringIO(text), comment="#", dtype=str, keep_default_na=False, skipinitialspace=True, on_bad_lines="error"
        )
    except ValueError as error:
        raise UserError(f"{source}: cannot be read as CSV ({error})") from error
    quantity = next((column for column in _COLUMNS if column in frame.columns), None)
    if quantity is None or "language" not in frame.columns:
        raise UserError(f"{source}: needs the columns language and share; found {', '.join(frame.columns) or 'none'}")
    values: dict[str, float] = {}
    for language, number in zip(frame["language"], frame[quantity], strict=True):
        if language in values:
            raise UserError(f"{source}: the language {language!r} stands there twice; keep one row")
        values[_check_language(language, source)] = _check_number(number, language, quantity, source)
    if quantity == "share" and sum(values.values()) > 100.5:  # half a percent for rounding
        raise UserError(f"{source}: shares add up to {sum(values.values()):g} percent; they are shares of one whole")
    return ShareTable(name, quantity, values)


def _check_language(language: str, source: str) -> str:
    try:
        canonical = canonical_language(language)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from None
    if canonical != language:
        raise UserError(f"{source}: write the language {language!r} as {canonical!r}")
    return language


def _check_number(text: str, language: str, quantity: str, source: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    highest = 100.0 if quantity == "share" else float("inf")
    if not 0 <= number <= highest or number == float("inf"):
        raise UserError(
            f"{source}: {quantity} of {language!r} is {text!r}; it must be a number from 0 to {highest:g}. "
            f"Leave the row out where it is unknown"
        )
    return number
