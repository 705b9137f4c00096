"""Load tables with the share of each language in a base's pre-training data."""

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
"""The shipped tables (`share_tables/<name>.csv`) and the quantity that each contains."""

_COLUMNS = ("share", "gigawords")


@dataclass(frozen=True)
class ShareTable:
    """Pre-training exposure by language. A language that is not in the table has unknown exposure, not zero."""

    name: str
    quantity: str
    """Kind of the values: `share` (percent of the total) or `gigawords` (an amount)."""
    values: Mapping[str, float]

    @property
    def column(self) -> str:
        """Return the name of the table's column in exposure.csv."""
        return f"{self.quantity}_{self.name}"

    @property
    def is_percentage(self) -> bool:
        """Return whether the values are percentages of the total."""
        return self.quantity == "share"


def load_shares(table: str, lab_exposure: str | Path | None = None) -> ShareTable:
    """Load a share table: a shipped table by name, the lab's exact counts (`lab`), or your own CSV by path.

    A CSV has the columns language and share (percent); lines that start with `#` are comments.
    lab_exposure: the lab's exposure.json, with its tokens by language and in total.
    Raises `UserError` for an unknown name, an unreadable file, a duplicate language, an invalid language code, a share
    that is not between 0 and 100, or shares that add up to more than 100.
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
    """Return a table's name in exposure.csv: its own name, or its file name without the extension."""
    return table if table == LAB or table in QUANTITIES else Path(table).stem


def describe_quantity(table: str) -> str:
    """Return a short description of a table's values, for an axis label."""
    if table == LAB:
        return "share of the base's pre-training tokens, %"
    return QUANTITIES.get(table, f"share of pre-training ({table_name(table)}), %")


def _read_lab(lab_exposure: str | Path | None) -> ShareTable:
    if lab_exposure is None:
        raise UserError(
            f"exposure.tables: {LAB!r} contains the exact counts of a base pre-trained by the lab, but this base is "
            f"a different one. Remove it from the list, or choose from: {', '.join(QUANTITIES)}"
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
            raise UserError(f"{source}: the language {language!r} appears twice; keep one row")
        values[_check_language(language, source)] = _check_number(number, language, quantity, source)
    if quantity == "share" and sum(values.values()) > 100.5:  # tolerance of half a percent for rounding
        raise UserError(f"{source}: shares add up to {sum(values.values()):g} percent; the total may be 100 at most")
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
            f"Omit the row if the value is unknown"
        )
    return number
