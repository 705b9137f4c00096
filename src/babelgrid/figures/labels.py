"""Place labels beside points without overlaps, by a small greedy search, since labels are short and few."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text

from babelgrid.figures.measure import size_of
from babelgrid.types import Floats

_DIRECTIONS = [(np.cos(angle), np.sin(angle)) for angle in np.deg2rad([0, 180, 45, 135, -45, -135, 90, -90])]
_REACHES = (1.0, 1.7, 2.6, 3.6)
_SWEEPS = 3
_TOUCH = 0.05
"""Overlaps below this are rounding errors, in points or square points."""
_SIZE = 6


def label_points(axes: Axes, points: Floats, words: Sequence[str], colours: Sequence[str], obstacles: Floats) -> None:
    """Write each word beside its point, with a thin connecting line if it had to move away.

    A word that would cover another one or leave the panel is left out: the table saved with the figure has all points.

    points: shape (points, 2), in data units.
    obstacles: boxes (left, bottom, right, top) in points from the figure's corner, that words should not cover.
    Call it after limits and layout are final, since it measures in print points.
    """
    anchors = points_of(axes, points[:, 0], points[:, 1])
    sizes = np.array([_room_for(word) for word in words]).reshape(-1, 2)
    frame = axes.get_window_extent()
    bounds = np.array([frame.x0, frame.y0, frame.x1, frame.y1]) * 72 / axes.figure.dpi
    centres = place_labels(anchors, sizes, obstacles, bounds)
    for number in kept_labels(centres, sizes, bounds):
        offset, word, colour, (x, y) = centres[number] - anchors[number], words[number], colours[number], points[number]
        label: Text = axes.annotate(
            word,
            (x, y),
            offset,
            textcoords="offset points",
            size=_SIZE,
            color=colour,
            ha="center",
            va="center",
            zorder=5,
        )
        label.set_in_layout(False)
        if np.hypot(*offset) > 9:
            thread = {"arrowstyle": "-", "color": colour, "linewidth": 0.3, "shrinkA": 3, "shrinkB": 1.5}
            axes.annotate("", (x, y), offset, textcoords="offset points", arrowprops=thread).set_in_layout(False)


def points_of(axes: Axes, x: Floats, y: Floats) -> Floats:
    """Return data coordinates in print points (1/72 inch) from the figure's corner; shape (points, 2)."""
    pixels = axes.transData.transform(np.column_stack([x, y]))
    points: Floats = pixels * 72 / axes.figure.dpi
    return points


def boxes_between(low: Floats, high: Floats | None = None, *, margin: tuple[float, float]) -> Floats:
    """Return boxes from `low` to `high` (or around each point), widened by a margin; shape (points, 4)."""
    return np.hstack([low - np.array(margin), (low if high is None else high) + np.array(margin)])


def place_labels(anchors: Floats, sizes: Floats, obstacles: Floats, bounds: Floats) -> Floats:
    """Return a centre for each label: near its anchor, clear of other labels and obstacles, inside the bounds.

    anchors, sizes: shape (labels, 2). obstacles: shape (n, 4). bounds: left, bottom, right, top. All are in points.
    Each label in turn takes the cheapest of 32 positions around its anchor. A few sweeps let labels placed early move
    away from later ones.
    """
    centres = anchors.copy()
    boxes = np.full((len(anchors), 4), np.nan)
    for _ in range(_SWEEPS):
        for number, (anchor, size) in enumerate(zip(anchors, sizes, strict=True)):
            places = _places(anchor, size)
            candidates = np.hstack([places - size / 2, places + size / 2])
            others = np.delete(boxes, number, axis=0)
            others = others[~np.isnan(others[:, 0])]
            cost = 8 * _overlap(candidates, others) + 2 * _overlap(candidates, obstacles)
            cost += 40 * _outside(candidates, bounds) + 0.6 * np.hypot(*(places - anchor).T)
            best = int(np.argmin(np.round(cost, 6)))
            centres[number], boxes[number] = places[best], candidates[best]
    return centres


def kept_labels(centres: Floats, sizes: Floats, bounds: Floats) -> list[int]:
    """Return the indices of the labels to write, which neither overlap nor leave the bounds; earlier labels win."""
    boxes = np.hstack([centres - sizes / 2, centres + sizes / 2])
    kept: list[int] = []
    for number in range(len(boxes)):
        box = boxes[number : number + 1]
        if _outside(box, bounds)[0] < _TOUCH and _overlap(box, boxes[kept])[0] < _TOUCH:
            kept.append(number)
    return kept


def spread_apart(values: Floats, distance: float) -> Floats:
    """Move values as little as needed to be at least `distance` apart, in the same order."""
    order = np.argsort(values, kind="stable")
    blocks: list[tuple[float, int]] = []
    for value in values[order]:
        centre, count = float(value), 1
        while blocks and blocks[-1][0] + distance * (blocks[-1][1] + count) / 2 > centre:
            left, left_count = blocks.pop()
            centre = (left * left_count + centre * count) / (left_count + count)
            count += left_count
        blocks.append((centre, count))
    moved = [centre + distance * (i - (count - 1) / 2) for centre, count in blocks for i in range(count)]
    result = np.empty(len(values))
    result[order] = moved
    return result


def _room_for(word: str) -> tuple[float, float]:
    """Return the width and height of a label with its margin, in points."""
    width, height = size_of(word, _SIZE)
    return 72 * width + 0.6, 72 * height + 0.4


def _places(anchor: Floats, size: Floats) -> Floats:
    """Return candidate label centres around an anchor, from near to far."""
    near = size / 2 + 2.6
    return np.array([anchor + near * reach * np.array(direction) for reach in _REACHES for direction in _DIRECTIONS])


def _overlap(boxes: Floats, others: Floats) -> Floats:
    """Return the total area that each box shares with all the others."""
    width = np.minimum(boxes[:, None, 2], others[None, :, 2]) - np.maximum(boxes[:, None, 0], others[None, :, 0])
    height = np.minimum(boxes[:, None, 3], others[None, :, 3]) - np.maximum(boxes[:, None, 1], others[None, :, 1])
    shared: Floats = (np.clip(width, 0, None) * np.clip(height, 0, None)).sum(axis=1)
    return shared


def _outside(boxes: Floats, bounds: Floats) -> Floats:
    """Return by how many points each box leaves the bounds."""
    below = np.clip(bounds[:2] - boxes[:, :2], 0, None).sum(axis=1)
    above = np.clip(boxes[:, 2:] - bounds[2:], 0, None).sum(axis=1)
    outside: Floats = below + above
    return outside
