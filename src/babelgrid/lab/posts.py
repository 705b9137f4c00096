"""Write the lab's labelled posts: one event each, with remarks on it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.config.posts import LabPosts
from babelgrid.config.rivals import LAB_COLUMN
from babelgrid.errors import UserError
from babelgrid.lab.compose import POST, Content, chance, draw_content, one_voice, say, text_of
from babelgrid.lab.lexicon import STANCES, Lexicon, load_lexicons
from babelgrid.runtime.files import whole_file

UNRELATED = "unrelated"
PATIENCE = 2000


def write_lab_posts(settings: LabPosts, seed: int, out: Path, pivot: str | None = None) -> None:
    """Write labelled posts in the lab's 13 languages as CSV: id, language, part, text, label.

    Labels are pro, anti, neutral and unrelated. Languages are drawn independently, so no post is a translation of
    another. Within a language, no two posts combine the same event with the same remarks. Test posts are drawn first,
    so they do not change with the number of train posts. pivot: a language; adds a column `translation` with each post
    as this language would say it (see `translate`). Raises `UserError` if the lexicon has too few combinations.
    """
    lexicons = load_lexicons()
    frames = [_posts_of(lexicon, settings, seed, lexicons[pivot] if pivot else None) for lexicon in lexicons.values()]
    # The workflow reads this file like a user's data, so texts are written unchanged.
    with whole_file(out) as temporary:
        pd.concat(frames, ignore_index=True).to_csv(temporary, index=False)


def translate(content: Content, source: Lexicon, target: Lexicon) -> str:
    """Return a post of the source language in the target language: a perfect translation, phrase by phrase.

    An idiom belongs to one language. It becomes an idiom of the target about the same theme (for immigration, of the
    same stance), or a shared remark if the target has none.
    """
    there = target.themes[content.theme]
    idioms = range(there.shared, len(there.remarks)) or range(there.shared)
    shared = source.themes[content.theme].shared

    def found(remark: int) -> int:
        return remark if remark < shared else idioms[(remark - shared) % len(idioms)]

    turns = tuple(replace(turn, remarks=tuple(map(found, turn.remarks))) for turn in content.turns)
    return text_of(say(replace(content, turns=turns), target, one_voice(target)))


def _posts_of(lexicon: Lexicon, settings: LabPosts, seed: int, pivot: Lexicon | None) -> pd.DataFrame:
    used: set[tuple[object, ...]] = set()
    rows = []
    for part, size in (("test", settings.test), ("dev", settings.dev), ("train", settings.train)):
        rng = chance(seed, "posts", lexicon.language, part)
        for number, theme in enumerate(_themes(rng, lexicon, size, settings.related), start=1):
            content = _draw_unused(rng, theme, lexicon, used)
            text = text_of(say(content, lexicon, one_voice(lexicon)))
            label = theme if theme in STANCES else UNRELATED
            translation = [translate(content, lexicon, pivot)] if pivot else []
            rows.append((f"{part}{number:05d}", lexicon.language, part, text, label, *translation))
    return pd.DataFrame(rows, columns=["id", "language", "part", "text", "label", *([LAB_COLUMN] if pivot else [])])


def _themes(rng: np.random.Generator, lexicon: Lexicon, size: int, related: float) -> list[str]:
    """Return the theme of each post in random order, evenly over the stances and evenly over the everyday domains."""
    about_immigration = round(size * related)
    themes = [*_evenly(STANCES, about_immigration), *_evenly(lexicon.domains, size - about_immigration)]
    return [themes[i] for i in rng.permutation(size)]


def _evenly(names: tuple[str, ...], size: int) -> Iterator[str]:
    return islice(cycle(names), size)


def _draw_unused(rng: np.random.Generator, theme: str, lexicon: Lexicon, used: set[tuple[object, ...]]) -> Content:
    """Draw a content that is not in `used`, and add it to `used`."""
    for _ in range(PATIENCE):
        content = draw_content(rng, theme, lexicon, POST)
        [turn] = content.turns
        gist = (theme, turn.event, turn.time, turn.place, frozenset(turn.remarks))
        if gist not in used:
            used.add(gist)
            return content
    raise UserError(
        f"posts.lab: the lab has no more contents about {theme!r} in {lexicon.language!r} after {len(used)} posts. "
        "Use fewer posts (train + dev + test); 60,000 per language are possible with related: 0.5."
    )
