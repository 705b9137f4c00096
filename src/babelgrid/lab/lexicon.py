"""Read the lexicons of the lab's thirteen languages and check that they are aligned."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from babelgrid.config.base import LAB_LANGUAGES
from babelgrid.errors import UserError

FOLDER = Path(__file__).parent / "lexicon"
REFERENCE = "en"
STANCES = ("pro", "anti", "neutral")
SLOTS = ("{time}", "{place}")

Phrases = tuple[str, ...]


@dataclass(frozen=True)
class Theme:
    """One topic: an everyday domain, or immigration with one stance.

    events: clauses, each split at its slots, e.g. ("{time}", " we baked bread ", "{place}").
    remarks: sentences that follow an event; the first `shared` of them mean the same in every language.
    """

    name: str
    events: tuple[Phrases, ...]
    places: Phrases
    remarks: Phrases
    shared: int
    hashtags: Phrases


@dataclass(frozen=True)
class Lexicon:
    """One language: its themes by name (the everyday domains, then the stances) and the phrases that fit any theme."""

    language: str
    full_stop: str
    times: Phrases
    openers: Phrases
    closers: Phrases
    themes: Mapping[str, Theme]

    @property
    def domains(self) -> tuple[str, ...]:
        """The everyday themes, which are unrelated to immigration."""
        return tuple(name for name in self.themes if name not in STANCES)


@cache
def load_lexicons() -> Mapping[str, Lexicon]:
    """Return the lexicons by language, in the order of `LAB_LANGUAGES`.

    Raises `UserError` naming the file and the entry that is malformed or not aligned with English.
    """
    entries = {language: _read(FOLDER / f"{language}.yaml") for language in LAB_LANGUAGES}
    reference = _shape(entries[REFERENCE])
    for language, entry in entries.items():
        _check_alignment(FOLDER / f"{language}.yaml", _shape(entry), reference)
    return {language: _build(entry) for language, entry in entries.items()}


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class _Scene(_Entry):
    events: Phrases
    # At least two places, because half of all (event, time, place) belong to the posts and half to pre-training.
    places: Phrases = Field(min_length=2)
    hashtags: Phrases = Field(min_length=2)


class _Domain(_Scene):
    comments: Phrases = Field(min_length=2)


class _Stance(_Entry):
    shared: Phrases = Field(min_length=2)
    idioms: Phrases


class _Immigration(_Scene):
    stances: dict[Literal["pro", "anti", "neutral"], _Stance]


class _File(_Entry):
    language: str
    full_stop: str
    times: Phrases
    openers: Phrases
    closers: Phrases
    domains: dict[str, _Domain]
    immigration: _Immigration

    @model_validator(mode="after")
    def _check_phrases(self) -> Self:
        for name, phrases in _lists(self):
            if len(set(phrases)) < len(phrases):
                raise ValueError(f"{name} repeats an entry")
            for phrase in phrases:
                if (reason := _fault(name, phrase)) is not None:
                    raise ValueError(f"{name}: {phrase!r} {reason}")
        return self


def _fault(name: str, phrase: str) -> str | None:
    slots = [phrase.count(slot) for slot in SLOTS]
    if phrase != unicodedata.normalize("NFC", phrase) or phrase != " ".join(phrase.split()):
        return "is not in NFC or has superfluous spaces"
    if name.endswith("events") and slots != [1, 1]:
        return "needs {time} and {place} once each"
    if not name.endswith("events") and ("{" in phrase or "}" in phrase):
        return "has a slot, which only an event may have"
    if name.endswith("hashtags") and " " in phrase:
        return "is a hashtag with a space"
    if name.endswith(("events", "comments", "shared", "idioms")) and phrase.endswith((".", "!", "?", "।")):
        return "ends in a full stop, which is added later"
    return None


def _lists(entry: BaseModel, path: str = "") -> Iterator[tuple[str, Phrases]]:
    """Yield an entry's lists of phrases, each with its path."""
    for field in type(entry).model_fields:
        value = getattr(entry, field)
        if isinstance(value, tuple):
            yield f"{path}{field}", value
        elif isinstance(value, BaseModel):
            yield from _lists(value, f"{path}{field}.")
        elif isinstance(value, dict):
            for key, inner in value.items():
                yield from _lists(inner, f"{path}{field}.{key}.")


def _read(path: Path) -> _File:
    try:
        return _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read as YAML: {error}") from error
    except ValidationError as error:
        mistake = error.errors()[0]
        where = ".".join(str(part) for part in mistake["loc"])
        raise UserError(f"{path}: {where or 'lexicon'}: {mistake['msg'].removeprefix('Value error, ')}") from None


def _shape(entry: _File) -> dict[str, int]:
    return {name: len(phrases) for name, phrases in _lists(entry) if not name.endswith("idioms")}


def _check_alignment(path: Path, shape: dict[str, int], reference: dict[str, int]) -> None:
    if list(shape) != list(reference):
        odd = sorted(set(shape) ^ set(reference)) or ["the order of the lists"]
        raise UserError(
            f"{path}: not aligned with {REFERENCE}.yaml: {', '.join(odd)}. Use the same keys in the same order."
        )
    for name, length in shape.items():
        if length != reference[name]:
            raise UserError(f"{path}: {name} has {length} entries, {REFERENCE}.yaml has {reference[name]}. Align them.")


def _build(entry: _File) -> Lexicon:
    everyday = [_theme(name, domain, domain.comments, len(domain.comments)) for name, domain in entry.domains.items()]
    immigration = [
        _theme(name, entry.immigration, stance.shared + stance.idioms, len(stance.shared))
        for name in STANCES
        for stance in [entry.immigration.stances[name]]  # type: ignore[index]
    ]
    return Lexicon(
        language=entry.language,
        full_stop=entry.full_stop,
        times=entry.times,
        openers=entry.openers,
        closers=entry.closers,
        themes={theme.name: theme for theme in everyday + immigration},
    )


def _theme(name: str, scene: _Scene, remarks: Phrases, shared: int) -> Theme:
    events = tuple(tuple(part for part in re.split(r"(\{\w+\})", event) if part) for event in scene.events)
    return Theme(name, events, scene.places, remarks, shared, scene.hashtags)
