"""How large text is in print, and text that is broken to fit a width. Call everything here within `house_style`."""

from functools import lru_cache

import matplotlib
import regex
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

Size = tuple[float, float]
"""Width and height, in inches."""

_SLACK = 1.04
"""Screens, print and browsers set the same letters a little differently."""


def size_of(text: str, size: float, weight: str = "normal") -> Size:
    """Return the width and height of text of one or more lines at a font size in points."""
    return _size_of(text, size, weight, tuple(matplotlib.rcParams["font.family"]))


def widest(texts: list[str], size: float, weight: str = "normal") -> float:
    """Return the width of the widest text, 0 where there is none."""
    return max((size_of(text, size, weight)[0] for text in texts), default=0.0)


def tallest(texts: list[str], size: float, weight: str = "normal") -> float:
    """Return the height of the tallest text, 0 where there is none."""
    return max((size_of(text, size, weight)[1] for text in texts), default=0.0)


def wrap(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Break text into lines that fit a width in inches; between words, and within a word that is too long for a line.

    Nothing is left out. A letter that is wider than the width has a line of its own.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if size_of(longer, size, weight)[0] <= width:
                line = longer
                continue
            *whole, line = [*([line] if line else []), *_pieces(word, width, size, weight)]
            lines += whole
        lines.append(line)
    return lines


def fold(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Return text as `wrap` breaks it, with an end of line between the lines."""
    return "\n".join(wrap(text, width, size, weight))


def _pieces(word: str, width: float, size: float, weight: str) -> list[str]:
    """Cut a word into pieces that fit, each as long as can be; marks stay with their letters."""
    pieces: list[str] = []
    letters = regex.findall(r"\X", word)
    while letters:
        fits, too_long = 1, len(letters) + 1
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if size_of("".join(letters[:middle]), size, weight)[0] <= width:
                fits = middle
            else:
                too_long = middle
        pieces.append("".join(letters[:fits]))
        letters = letters[fits:]
    return pieces


@lru_cache(maxsize=20_000)
def _size_of(text: str, size: float, weight: str, families: tuple[str, ...]) -> Size:
    if not text.strip():
        return 0.0, 0.0
    canvas = _canvas()
    words = Text(0, 0, text, size=size, weight=weight, family=list(families), parse_math=False)
    words.set_figure(canvas.figure)
    box = words.get_window_extent(canvas.get_renderer())  # type: ignore[no-untyped-call]
    return _SLACK * box.width / canvas.figure.dpi, box.height / canvas.figure.dpi


@lru_cache(maxsize=1)
def _canvas() -> FigureCanvasAgg:
    return FigureCanvasAgg(Figure(figsize=(1, 1), dpi=300))
