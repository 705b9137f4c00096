"""Field types and checks shared by all settings models."""

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

MAX_NAME = 80
"""Maximum bytes of a name that becomes a folder or part of a file name; two joined names then fit in 255 bytes."""
MAX_LABEL = 200
"""Maximum characters in the name of a label or class."""
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows reserves for devices: results with these names could not be copied there."""
HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)?")
"""Repository name on the Hub, `owner/name`; a few old repositories have no owner."""
HUB_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*(/[^/.][^/]*)+")
"""File of a repository on the Hub: `owner/name/file`, or `owner/name/folder/file`."""
COMMIT = re.compile(r"[0-9a-f]{40}")
"""Full commit hash of a repository on the Hub."""


class Settings(BaseModel):
    """A frozen block of settings that rejects unknown keys and suggests the nearest known key.

    Numbers must not be infinite or NaN.
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
    """Return a name that is valid as a folder or part of a file name on every system, or raise `ValueError`."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) or name.endswith("."):
        raise ValueError(
            f"{shown(name)} becomes part of file names: use unaccented letters, digits, '.', '_' and '-', without "
            "'.' or '-' at the start and without '.' at the end"
        )
    if len(name) > MAX_NAME:
        raise ValueError(
            f"{shown(name)} becomes part of file names and has {len(name)} characters; use at most {MAX_NAME}"
        )
    if RESERVED.fullmatch(name):
        raise ValueError(f"{name!r} is a name that Windows reserves (CON, NUL, COM1, …); choose another name")
    return name


def canonical_language(code: str) -> str:
    """Return the standard BCP-47 tag of a language code, e.g. `id` for `in`, or raise `ValueError`."""
    if not langcodes.tag_is_valid(code):
        raise ValueError(f"{code!r} is not a language code (BCP-47 or ISO 639-1, such as en, hu, pt-BR)")
    return langcodes.Language.get(code).to_tag()


def _refuse_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        # pydantic reports a ValueError as a config mistake, but not a TypeError.
        raise ValueError(f"found {value}: YAML reads a bare no, yes, on or off as a boolean. Put it in quotes")  # noqa: TRY004
    return value


def _refuse_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"found {value}, which is not a number (YAML reads yes, no, on and off as booleans)")  # noqa: TRY004
    return value


def _refuse_unwritable(text: str) -> str:
    for character in text:
        if character == "\0" or unicodedata.category(character) == "Cs":
            raise ValueError(f"contains the character U+{ord(character):04X}, which files cannot contain; remove it")
    return text


def _check_label(name: str) -> str:
    if not fold(name):
        raise ValueError(f"found {name!r}: a name needs at least one visible character")
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in name):
        raise ValueError(f"found {shown(name)}: a name must be one line, without tabs or other control characters")
    if len(name) > MAX_LABEL:
        raise ValueError(f"found {shown(name)}: {len(name)} characters; use at most {MAX_LABEL}")
    return name


def _check_language(code: str) -> str:
    canonical = canonical_language(code)
    if canonical != code:
        raise ValueError(
            f"write the language {code!r} as {canonical!r} (for {code!r} in the data, use languages.aliases)"
        )
    if len(code) > MAX_NAME:
        raise ValueError(f"the language {code!r} becomes part of file names: use at most {MAX_NAME} characters")
    return code


def _check_hub_name(name: str) -> str:
    if not HUB_NAME.fullmatch(name):
        raise ValueError(f"{shown(name)} is not the name of a repository on the Hub, such as owner/name")
    return name


T = TypeVar("T", bound=Iterable[Any] | None)


def refuse_twice(values: T, form: Callable[[Any], object] = repr) -> T:
    """Return a list or block unchanged, or raise `ValueError` if two of its items or keys have the same `form`."""
    seen: dict[object, object] = {}
    for value in () if values is None or isinstance(values, str) else values:
        key = form(value)
        if key in seen and seen[key] == value:
            raise ValueError(f"{shown(value)} is given twice; name each once")
        if key in seen:
            raise ValueError(f"{shown(seen[key])} and {shown(value)} count as the same; keep one of them")
        seen[key] = value
    return values


def named_columns(columns: Settings) -> dict[str, str]:
    """Return role -> column of the data, without the roles that have no column."""
    return {role: name for role, name in columns.model_dump().items() if name is not None}


def refuse_shared_columns(columns: Settings, roles: Iterable[str]) -> None:
    """Raise `ValueError` if the column of one of these roles is also the column of any other role."""
    named = named_columns(columns)
    for role in roles:
        for other, name in named.items():
            if other != role and name == named.get(role):
                raise ValueError(
                    f"{shown(name)} is given twice, as the column of {role} and of {other}; name each once"
                )


Text = Annotated[str, BeforeValidator(_refuse_boolean), AfterValidator(_refuse_unwritable)]
Language = Annotated[Text, AfterValidator(_check_language)]
PathName = Annotated[Text, AfterValidator(path_name)]
"""A name that becomes a folder or part of a file name."""
LabelName = Annotated[Text, AfterValidator(_check_label)]
"""The name of a label or class: any single line of text. It is never used in a path."""
HubName = Annotated[Text, AfterValidator(_check_hub_name)]
Whole = Annotated[int, BeforeValidator(_refuse_truth)]
Number = Annotated[float, BeforeValidator(_refuse_truth)]
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]
"""A seed that numpy, torch and Python all accept."""

Once = AfterValidator(refuse_twice)
"""The list has no duplicates."""
OnceAsSpelled = AfterValidator(lambda values: refuse_twice(values, fold))
"""No two names differ only in case, spaces, invisible characters or Unicode form."""
OncePerPath = AfterValidator(lambda values: refuse_twice(values, os.path.normpath))
"""No path is given twice, in any spelling (`a.csv` and `./a.csv`)."""
