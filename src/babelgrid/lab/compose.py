"""Compose sentences in one or two languages from a language-independent content.

A content refers to concepts by their position in the lexicons: the event, its time and place, and the remarks on it. It
can therefore be expressed in any language, and any of its phrases can be borrowed from another. Idioms are the
exception: they belong to one language and are never borrowed or translated.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from babelgrid.lab.lexicon import Lexicon, Theme

OPENER_RATE, CLOSER_RATE, HASHTAG_RATE = 0.3, 0.3, 0.5
CAPITAL_AFTER_COLON = {"de"}
DOTTED_I = {"tr"}


class Half(IntEnum):
    """Owner of an (event, time, place): half of them belong to labelled posts, the other half to pre-training.

    Every post contains one event, so no post can occur in pre-training text, whatever else is drawn.
    """

    POSTS = 0
    PRETRAINING = 1


@dataclass(frozen=True)
class Kind:
    """Limits of a kind of content: the number of turns, which half of the events, and whether idioms are allowed."""

    turns: tuple[int, int]
    half: Half
    idioms: bool


POST = Kind(turns=(1, 1), half=Half.POSTS, idioms=True)
DOCUMENT = Kind(turns=(1, 3), half=Half.PRETRAINING, idioms=True)
TRANSLATABLE = Kind(turns=(1, 2), half=Half.PRETRAINING, idioms=False)


@dataclass(frozen=True)
class Turn:
    """One event with its time and place, and the remarks that follow it, all as positions in the lexicon."""

    event: int
    time: int
    place: int
    remarks: tuple[int, ...]


@dataclass(frozen=True)
class Content:
    """Language-independent content. `theme` is an everyday domain or, for immigration, the stance."""

    theme: str
    turns: tuple[Turn, ...]
    opener: int | None
    closer: int | None
    hashtags: tuple[int, ...]


@dataclass(frozen=True)
class Span:
    """A piece of text in one language, including any space before it."""

    text: str
    language: str


Voice = Callable[[], Lexicon]


def chance(seed: int, *names: str) -> np.random.Generator:
    """Return the random generator for one purpose, identified by `names`, under the experiment's seed."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def draw_content(rng: np.random.Generator, theme: str, lexicon: Lexicon, kind: Kind) -> Content:
    """Draw a content about a theme; `lexicon` gives the number of choices, as idioms differ between languages."""
    turns = int(rng.integers(kind.turns[0], kind.turns[1], endpoint=True))
    subject = lexicon.themes[theme]
    return Content(
        theme=theme,
        turns=tuple(_draw_turn(rng, subject, lexicon, kind) for _ in range(turns)),
        opener=int(rng.integers(len(lexicon.openers))) if rng.random() < OPENER_RATE else None,
        closer=int(rng.integers(len(lexicon.closers))) if rng.random() < CLOSER_RATE else None,
        hashtags=_draw_some(rng, len(subject.hashtags)) if rng.random() < HASHTAG_RATE else (),
    )


def _draw_turn(rng: np.random.Generator, subject: Theme, lexicon: Lexicon, kind: Kind) -> Turn:
    event = int(rng.integers(len(subject.events)))
    time = int(rng.integers(len(lexicon.times)))
    places = [place for place in range(len(subject.places)) if half_of(event, time, place) == kind.half]
    place = places[int(rng.integers(len(places)))]
    return Turn(event, time, place, _draw_some(rng, len(subject.remarks) if kind.idioms else subject.shared))


def half_of(event: int, time: int, place: int) -> Half:
    """Return whether an event at a time and place belongs to the posts or to pre-training."""
    return Half((event + time + place) % 2)


def _draw_some(rng: np.random.Generator, size: int) -> tuple[int, ...]:
    """Draw one or two different numbers below `size`."""
    first = int(rng.integers(size))
    if rng.random() < 0.5:
        return (first,)
    return (first, (first + 1 + int(rng.integers(size - 1))) % size)


def one_voice(lexicon: Lexicon) -> Voice:
    """Return a voice that says every phrase in one language."""
    return lambda: lexicon


def mixed_voice(rng: np.random.Generator, host: Lexicon, guest: Lexicon, rate: float) -> Voice:
    """Return a voice that borrows each phrase from the guest language with probability `rate`."""
    return lambda: guest if rng.random() < rate else host


def say(content: Content, host: Lexicon, voice: Voice) -> list[Span]:
    """Return a content as the spans of consecutive sentences; `voice` gives the language of each next phrase.

    host: main language, which keeps its idioms. The texts of the spans, joined, are the complete text.
    """
    sentences: list[list[Span]] = []
    capital = True
    if content.opener is not None:
        lexicon = voice()
        opener = lexicon.openers[content.opener]
        sentences.append([Span(opener, lexicon.language)])
        capital = not opener.endswith(":")
    for turn in content.turns:
        for sentence in _say_turn(turn, content.theme, host, voice):
            sentences.append(_capitalise(sentence, capital))
            capital = True
    if content.closer is not None:
        lexicon = voice()
        sentences.append([Span(lexicon.closers[content.closer], lexicon.language)])
    for hashtag in content.hashtags:
        lexicon = voice()
        sentences.append([Span(f"#{lexicon.themes[content.theme].hashtags[hashtag]}", lexicon.language)])
    return join(sentences)


def _say_turn(turn: Turn, theme: str, host: Lexicon, voice: Voice) -> list[list[Span]]:
    frame = voice()
    event: list[Span] = []
    for part in frame.themes[theme].events[turn.event]:
        lexicon = voice() if part.startswith("{") else frame
        slots = {"{time}": lexicon.times[turn.time], "{place}": lexicon.themes[theme].places[turn.place]}
        event.append(Span(slots.get(part, part), lexicon.language))
    sentences = [[*event, Span(frame.full_stop, frame.language)]]
    for remark in turn.remarks:
        subject = host.themes[theme]
        lexicon = voice() if remark < subject.shared else host
        sentences.append([Span(lexicon.themes[theme].remarks[remark] + lexicon.full_stop, lexicon.language)])
    return sentences


def _capitalise(sentence: list[Span], after_stop: bool) -> list[Span]:
    """Capitalise a sentence: i becomes İ in Turkish, and after a colon only German uses a capital letter."""
    first, *rest = sentence
    if not after_stop and first.language not in CAPITAL_AFTER_COLON:
        return sentence
    initial = "İ" if first.text[0] == "i" and first.language in DOTTED_I else first.text[0].upper()
    return [Span(initial + first.text[1:], first.language), *rest]


def join(sentences: Iterable[list[Span]]) -> list[Span]:
    """Join sentences into one text, with a space before each except the first."""
    spans: list[Span] = []
    for sentence in sentences:
        first, *rest = sentence
        spans += [Span(f" {first.text}", first.language) if spans else first, *rest]
    return spans


def text_of(spans: Iterable[Span]) -> str:
    """Return the concatenated text of the spans."""
    return "".join(span.text for span in spans)
