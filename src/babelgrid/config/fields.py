"""The pieces that every settings model is made of."""

from typing import Annotated, Any

import langcodes
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from babelgrid.errors import nearest


class Settings(BaseModel):
    """A frozen block of settings that refuses keys it does not know and suggests the nearest one."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            allowed = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in allowed:
                    raise ValueError(f"unknown key {key!r}{nearest(key, allowed)}. Allowed: {', '.join(allowed)}")
        return data


def _refuse_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        # pydantic turns a ValueError, and no TypeError, into a mistake of the config.
        raise ValueError(f"found {value}: YAML reads a bare no, yes, on or off as a boolean. Put it in quotes")  # noqa: TRY004
    return value


def canonical_language(code: str) -> str:
    """Return the standard BCP-47 tag of a language code, e.g. `id` for `in`; `ValueError` if there is none."""
    if not langcodes.tag_is_valid(code):
        raise ValueError(f"{code!r} is not a language code (BCP-47 or ISO 639-1, such as en, hu, pt-BR)")
    return langcodes.Language.get(code).to_tag()


def _check_language(code: str) -> str:
    canonical = canonical_language(code)
    if canonical != code:
        raise ValueError(f"write the language {code!r} as {canonical!r} (data may keep its code: languages.aliases)")
    return code


Text = Annotated[str, BeforeValidator(_refuse_boolean)]
Language = Annotated[Text, AfterValidator(_check_language)]
