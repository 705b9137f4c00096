"""Measure text in print and break it to fit a width. Call these functions within `house_style`."""

from functools import lru_cache

import matplotlib
import regex
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

Size = tuple[float, float]
"""Width and height, in inches."""

_SLACK = 1.04
"""Allowance for screens, print and browsers, which set the same text slightly differently."""


def size_of(text: str, size: float, weight: str = "normal") -> Size:
    """Return the width and height of text, of one or more lines, at a font size in points."""
    return _size_of(text, size, weight, tuple(matplotlib.rcParams["font.family"]))


def widest(texts: list[str], size: float, weight: str = "normal") -> float:
    """Return the width of the widest text, 0 without any texts."""
    return max((size_of(text, size, weight)[0] for text in texts), default=0.0)


def tallest(texts: list[str], size: float, weight: str = "normal") -> float:
    """Return the height of the tallest text, 0 without any texts."""
    return max((size_of(text, size, weight)[1] for text in texts), default=0.0)


def wrap(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Break text into lines that fit a width in inches: between words, or within a word that is longer than a line.

    No text is left out. A letter that is wider than the width gets its own line.
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


def wrap_text(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Return the lines of `wrap` joined with line breaks."""
    return "\n".join(wrap(text, width, size, weight))


def _pieces(word: str, width: float, size: float, weight: str) -> list[str]:
    """Cut a word into the longest pieces that fit; combining marks stay with their letters."""
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
