"""The pieces that every settings model is made of."""

import os.path
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

import langcodes
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from babelgrid.config.shown import shown
from babelgrid.errors import nearest
from babelgrid.spelling import fold

LONGEST_NAME = 80
"""Bytes of a name that becomes a folder or a part of a file's name, so that a name made of two fits in 255."""
LONGEST_LABEL = 200
"""Characters in the name of a label or of a class."""
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices: results could not be copied there."""
HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)?")
"""`owner/name`, as repositories on the Hub are called; a few old ones have no owner."""
COMMIT = re.compile(r"[0-9a-f]{40}")
"""A commit of a repository on the Hub, in full."""


class Settings(BaseModel):
    """A frozen block of settings that refuses keys it does not know and suggests the nearest one.

    No number in it may be infinite or NaN.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            allowed = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in allowed:
                    raise ValueError(f"unknown key {shown(key)}{nearest(key, allowed)}. Allowed: {', '.join(allowed)}")
        return data


def path_name(name: str) -> str:
    """Return a name that may become a folder or a part of a file's name on every system; else `ValueError`."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) or name.endswith("."):
        raise ValueError(
            f"{shown(name)} becomes a part of file names: write it in unaccented letters, digits, '.', '_' and '-', "
            "with no '.' or '-' in front and no '.' at the end"
        )
    if len(name) > LONGEST_NAME:
        raise ValueError(
            f"{shown(name)} becomes a part of file names and is {len(name)} characters long; {LONGEST_NAME} at most"
        )
    if RESERVED.fullmatch(name):
        raise ValueError(f"{name!r} is a name that Windows keeps for itself (CON, NUL, COM1, …); choose another")
    return name


def canonical_language(code: str) -> str:
    """Return the standard BCP-47 tag of a language code, e.g. `id` for `in`; `ValueError` if there is none."""
    if not langcodes.tag_is_valid(code):
        raise ValueError(f"{code!r} is not a language code (BCP-47 or ISO 639-1, such as en, hu, pt-BR)")
    return langcodes.Language.get(code).to_tag()


def _refuse_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        # pydantic turns a ValueError, and no TypeError, into a mistake of the config.
        raise ValueError(f"found {value}: YAML reads a bare no, yes, on or off as a boolean. Put it in quotes")  # noqa: TRY004
    return value


def _refuse_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"found {value}, which is no number (YAML reads yes, no, on and off so)")  # noqa: TRY004
    return value


def _refuse_unwritable(text: str) -> str:
    for character in text:
        if character == "\0" or unicodedata.category(character) == "Cs":
            raise ValueError(f"holds the character U+{ord(character):04X}, which no file can hold; take it out")
    return text


def _check_label(name: str) -> str:
    if not fold(name):
        raise ValueError(f"found {name!r}: a name needs at least one visible character")
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in name):
        raise ValueError(f"found {shown(name)}: a name is one line, without tabs or other control characters")
    if len(name) > LONGEST_LABEL:
        raise ValueError(f"found {shown(name)}: {len(name)} characters; {LONGEST_LABEL} at most")
    return name


def _check_language(code: str) -> str:
    canonical = canonical_language(code)
    if canonical != code:
        raise ValueError(f"write the language {code!r} as {canonical!r} (data may keep its code: languages.aliases)")
    if len(code) > LONGEST_NAME:
        raise ValueError(f"the language {code!r} becomes a file's name: {LONGEST_NAME} characters at most")
    return code


def _check_hub_name(name: str) -> str:
    if not HUB_NAME.fullmatch(name):
        raise ValueError(f"{shown(name)} is not the name of a repository on the Hub, such as owner/name")
    return name


T = TypeVar("T", bound=Iterable[Any] | None)


def refuse_twice(values: T, form: Callable[[Any], object] = repr) -> T:
    """Return a list, or a block by its keys; `ValueError` where two of them have the same `form`."""
    seen: dict[object, object] = {}
    for value in () if values is None or isinstance(values, str) else values:
        key = form(value)
        if key in seen and seen[key] == value:
            raise ValueError(f"{shown(value)} is given twice; name each once")
        if key in seen:
            raise ValueError(f"{shown(seen[key])} and {shown(value)} count as the same; keep one of them")
        seen[key] = value
    return values


def refuse_shared_columns(columns: Settings, roles: Iterable[str]) -> None:
    """`ValueError` where one column would be read for two of these roles, or for one of them and any other."""
    named = {role: name for role, name in columns.model_dump().items() if name is not None}
    for role in roles:
        for other, name in named.items():
            if other != role and name == named.get(role):
                raise ValueError(
                    f"{shown(name)} is given twice, as the column of {role} and of {other}; name each once"
                )


Text = Annotated[str, BeforeValidator(_refuse_boolean), AfterValidator(_refuse_unwritable)]
Language = Annotated[Text, AfterValidator(_check_language)]
PathName = Annotated[Text, AfterValidator(path_name)]
"""A name that becomes a folder or a part of a file's name."""
LabelName = Annotated[Text, AfterValidator(_check_label)]
"""The name of a label or of a class: any text of one line. No path is made of it."""
HubName = Annotated[Text, AfterValidator(_check_hub_name)]
Whole = Annotated[int, BeforeValidator(_refuse_truth)]
Number = Annotated[float, BeforeValidator(_refuse_truth)]
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]
"""What numpy, torch and Python all take as a seed."""

Once = AfterValidator(refuse_twice)
"""Nothing in the list is given twice."""
OnceAsSpelled = AfterValidator(lambda values: refuse_twice(values, fold))
"""No two names differ by case, spaces, invisible characters or their Unicode form alone."""
OncePerPath = AfterValidator(lambda values: refuse_twice(values, os.path.normpath))
"""No path is given twice, spelled alike or not (`a.csv` and `./a.csv`)."""
