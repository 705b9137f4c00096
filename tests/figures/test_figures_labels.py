import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from babelgrid.figures.labels import place_labels, spread_apart

numbers = st.lists(st.floats(-100, 100), min_size=1, max_size=15)


@given(numbers, st.floats(0.1, 10))
def test_spread_values_keep_order_and_distance(values, distance):
    values = np.array(values)
    moved = spread_apart(values, distance)
    order = np.argsort(values, kind="stable")
    assert (np.diff(moved[order]) >= distance - 1e-6).all()
    assert np.isclose(moved.mean(), values.mean(), atol=1e-6)


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=15, unique=True))
def test_values_far_enough_apart_do_not_move(values):
    values = np.array(values, dtype=float)
    assert np.allclose(spread_apart(values, 0.9), values)


def test_labels_of_close_points_do_not_overlap():
    generator = np.random.default_rng(4)
    anchors = generator.uniform([30, 30], [90, 80], (13, 2))
    sizes = np.tile([7.2, 4.4], (13, 1))
    dots = np.hstack([anchors - 2, anchors + 2])
    bounds = np.array([0.0, 0.0, 120.0, 110.0])
    centres = place_labels(anchors, sizes, dots, bounds)
    boxes = np.hstack([centres - sizes / 2, centres + sizes / 2])
    for number, box in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert not ((box[:2] < other[2:] - 0.2) & (other[:2] < box[2:] - 0.2)).all()
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= bounds[2:]).all()
