"""Measure the boxes of drawn text, to find text that overlaps other text, leaves the figure or is too small."""

from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

TOLERANCE = 0.6
"""Allowed overlap in pixels at 100 dots per inch, because boxes cover complete lines, not just the letters."""


@dataclass(frozen=True)
class Drawn:
    """A drawn text: its words, its font size, and the corners of its (possibly rotated) box in pixels."""

    words: str
    size: float
    corners: np.ndarray
    axes: object


def drawn_texts(figure, monkeypatch):
    """Draw a figure and return all drawn texts."""
    canvas = FigureCanvasAgg(figure)
    found = []
    draw = Text.draw

    def record(self, renderer, *args, **kwargs):
        if self.get_visible() and self.get_text().strip():
            found.append(self)
        return draw(self, renderer, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Text, "draw", record)
        canvas.draw()
    renderer = canvas.get_renderer()
    return [Drawn(one.get_text(), one.get_fontsize(), _corners(one, renderer), one.axes) for one in found]


def _corners(text, renderer):
    angle = text.get_rotation()
    if angle % 90 == 0:
        box = text.get_window_extent(renderer)
        return np.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]])
    assert text.get_rotation_mode() == "anchor"
    text.set_rotation(0)
    box = text.get_window_extent(renderer)
    text.set_rotation(angle)
    anchor = text.get_transform().transform(text.get_unitless_position())
    corners = np.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]])
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return (corners - anchor) @ np.array([[cos, sin], [-sin, cos]]) + anchor


def overlaps(texts):
    """Return the pairs of texts that overlap."""
    low = np.array([text.corners.min(axis=0) for text in texts])
    high = np.array([text.corners.max(axis=0) for text in texts])
    pairs = []
    for number in range(len(texts) - 1):
        rest = slice(number + 1, None)
        near = ((low[number] < high[rest] - TOLERANCE) & (low[rest] < high[number] - TOLERANCE)).all(axis=1)
        pairs += [
            (texts[number].words, texts[number + 1 + other].words)
            for other in np.flatnonzero(near)
            if _share(texts[number].corners, texts[number + 1 + other].corners)
        ]
    return pairs


def _share(one, other):
    """Return whether two convex boxes overlap by more than the tolerance: no side of either box separates them."""
    for corners in (one, other):
        for first, second in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            normal = np.array([second[1] - first[1], first[0] - second[0]])
            length = np.hypot(*normal)
            if length == 0:
                return False
            normal /= length
            a, b = one @ normal, other @ normal
            if a.max() < b.min() + TOLERANCE or b.max() < a.min() + TOLERANCE:
                return False
    return True


def outside(figure, texts):
    """Return the texts that leave the figure."""
    width, height = figure.bbox.width, figure.bbox.height
    return [
        text.words
        for text in texts
        if text.corners.min() < -TOLERANCE
        or text.corners[:, 0].max() > width + TOLERANCE
        or text.corners[:, 1].max() > height + TOLERANCE
    ]


def over_panels(figure, texts):
    """Return the texts that overlap a panel other than their own."""
    panels = [axes for axes in figure.axes if axes.axison]
    found = []
    for axes in panels:
        box = axes.get_window_extent()
        corners = np.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]])
        found += [text.words for text in texts if text.axes is not axes and _share(corners, text.corners)]
    return found
