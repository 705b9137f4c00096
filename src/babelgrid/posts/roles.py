"""Find the columns of a table by role (text, language, label, identifiers), and take their values from a row."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from babelgrid.errors import UserError, nearest
from babelgrid.posts.formats import Record, is_unicode
from babelgrid.posts.identifiers import as_id, as_text, why_no_id, why_no_text
from babelgrid.posts.rejects import Reason, shown

IDENTIFIERS = frozenset({"id", "group", "source_id", "seed"})
"""Roles whose values are compared in the canonical form of identifiers."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row cannot be read; the explanation names the column but shows no value."""

    reason: Reason
    explanation: str


def check_columns(table: str, columns: Collection[str], roles: Mapping[str, str]) -> None:
    """Raise `UserError` unless each named column occurs exactly once.

    roles: config key -> column that it names.
    """
    for key, name in roles.items():
        found = list(columns).count(name)
        if found != 1:
            fault = f"no column {name!r}{nearest(name, columns)}" if not found else f"{found} columns {name!r}"
            # Long names are hidden: in a file without a header they may be posts.
            raise UserError(f"{table}: {fault} ({key}). The columns: {', '.join(map(shown, columns))}")


def read_values(record: Record, roles: Mapping[str, str]) -> dict[str, str] | Fault:
    """Return role -> value as text, with identifiers in canonical form and missing values empty; or what is wrong.

    roles: role -> column.
    """
    if record.broken:
        return Fault(record.broken, record.explanation)
    values: dict[str, str] = {}
    for role, name in roles.items():
        value = record.values.get(name)
        text = as_id(value) if role in IDENTIFIERS else as_text(value)
        if text is None:
            why = why_no_id(value) if role in IDENTIFIERS else why_no_text(value)
            return Fault(Reason.BROKEN_RECORD, f", column {name!r} {why}")
        if not is_unicode(text):
            explanation = f", column {name!r} has bytes that are not UTF-8. If the file has another encoding, such "
            return Fault(Reason.BROKEN_ENCODING, f"{explanation}as Windows-1252, save it as UTF-8")
        values[role] = text
    return values
