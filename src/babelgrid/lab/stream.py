"""Write the pre-training stream: documents in thirteen languages, some of them parallel or code-switched."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from babelgrid.config.base import LAB_LANGUAGES, LabBase
from babelgrid.lab.compose import (
    DOCUMENT,
    TRANSLATABLE,
    Span,
    chance,
    draw_content,
    join,
    mixed_voice,
    one_voice,
    say,
    text_of,
)
from babelgrid.lab.lexicon import STANCES, Lexicon, load_lexicons

# Per cent of Llama 2's pre-training data (arXiv 2307.09288, table 10). Arabic, Hindi and Turkish are not listed, which
# means less than 0.005; here they get the smallest listed value among the lab's languages.
LLAMA2_PERCENT = {
    "en": 89.70, "de": 0.17, "fr": 0.16, "es": 0.13, "it": 0.11, "pl": 0.09, "pt": 0.09,
    "ko": 0.06, "id": 0.03, "hu": 0.03, "ar": 0.03, "hi": 0.03, "tr": 0.03,
}  # fmt: skip


@dataclass(frozen=True)
class Document:
    """One document of the stream. Kinds: plain, parallel, code_switched."""

    kind: str
    spans: tuple[Span, ...]

    @property
    def text(self) -> str:
        """Text of the complete document."""
        return text_of(self.spans)


def language_shares(settings: LabBase) -> dict[str, float]:
    """Return the target share of each language in the stream; shares sum to 1.

    `skewed` is Llama 2's table with English limited to half, so that the weakest language still has more than 1% and
    bilingual documents leave room for every share.
    """
    if settings.shares == "skewed":
        weights = {**LLAMA2_PERCENT, "en": math.fsum(LLAMA2_PERCENT.values()) - LLAMA2_PERCENT["en"]}
    elif settings.shares == "uniform":
        weights = dict.fromkeys(LAB_LANGUAGES, 1.0)
    else:
        weights = {language: settings.shares[language] for language in LAB_LANGUAGES if language in settings.shares}
    total = math.fsum(weights.values())
    return {language: weight / total for language, weight in weights.items()}


def write_documents(settings: LabBase, rng: np.random.Generator, written: Counter[str]) -> Iterator[Document]:
    """Yield documents endlessly, each in the language that is furthest behind its share.

    written: amount of each language so far, in any unit; the caller adds the amounts of each document before it
        requests the next one.
    """
    lexicons, shares = load_lexicons(), language_shares(settings)
    themes, weights = _themes(lexicons[next(iter(shares))])
    while True:
        theme = themes[int(rng.choice(len(themes), p=weights))]
        host = _furthest_behind(shares, written)
        kind = _draw_kind(rng, settings)
        guest = None if kind == "plain" else lexicons[_draw_guest(rng, shares, written, host)]
        yield Document(kind, tuple(_write(rng, kind, theme, (lexicons[host], guest), settings.switch_rate)))


def _themes(lexicon: Lexicon) -> tuple[list[str], np.ndarray]:
    """Return the themes and their probabilities, proportional to their sentences so that all are equally frequent."""
    sizes = {
        # The stances of immigration share its events.
        name: len(theme.events) / (len(STANCES) if name in STANCES else 1) + len(theme.remarks)
        for name, theme in lexicon.themes.items()
    }
    weights = np.array(list(sizes.values()))
    return list(sizes), weights / weights.sum()


def _furthest_behind(shares: Mapping[str, float], written: Counter[str]) -> str:
    total = sum(written.values())
    return max(shares, key=lambda language: shares[language] * total - written[language])


def _draw_kind(rng: np.random.Generator, settings: LabBase) -> str:
    number = rng.random()
    if number < settings.parallel:
        return "parallel"
    return "code_switched" if number < settings.parallel + settings.code_switched else "plain"


def _draw_guest(rng: np.random.Generator, shares: Mapping[str, float], written: Counter[str], host: str) -> str:
    """Draw the second language by share among the languages behind their share, or among all if there are none."""
    total = sum(written.values())
    others = [language for language in shares if language != host]
    behind = [language for language in others if written[language] < shares[language] * total]
    candidates = behind or others
    weights = np.array([shares[language] for language in candidates])
    return candidates[int(rng.choice(len(candidates), p=weights / weights.sum()))]


def _write(
    rng: np.random.Generator, kind: str, theme: str, pair: tuple[Lexicon, Lexicon | None], switch_rate: float
) -> list[Span]:
    host, guest = pair
    if guest is None:
        return say(draw_content(rng, theme, host, DOCUMENT), host, one_voice(host))
    if kind == "code_switched":
        return say(draw_content(rng, theme, host, DOCUMENT), host, mixed_voice(rng, host, guest, switch_rate))
    content = draw_content(rng, theme, host, TRANSLATABLE)
    versions = [say(content, lexicon, one_voice(lexicon)) for lexicon in (host, guest)]
    return join(versions if rng.random() < 0.5 else versions[::-1])


def pretraining_documents(settings: LabBase, seed: int, written: Counter[str]) -> Iterator[Document]:
    """Yield the documents that the base is pre-trained on; see `write_documents`."""
    return write_documents(settings, chance(seed, "pretraining"), written)
