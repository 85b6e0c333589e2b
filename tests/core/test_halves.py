from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_cytosynth.core.geometry import halves

place = st.tuples(st.floats(1, 39), st.floats(1, 29))
RECTANGLE = np.array([(0, 0), (40, 0), (40, 30), (0, 30)], np.float32)


def area(polygon: np.ndarray) -> float:
    x, y = polygon.astype(float).T
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2


@given(place, place)
def test_halves_share_the_polygon_and_lie_on_their_sides(
    first: tuple[float, float], second: tuple[float, float]
) -> None:
    if np.hypot(first[0] - second[0], first[1] - second[1]) < 0.1:
        return
    parts = halves(RECTANGLE, first, second)
    assert parts is not None
    assert abs(sum(map(area, parts)) - 1200) < 0.1
    for part, near, far in ((parts[0], first, second), (parts[1], second, first)):
        to_near = np.linalg.norm(part - near, axis=1)
        assert (to_near <= np.linalg.norm(part - far, axis=1) + 1e-3).all()


def test_one_place_twice_parts_nothing() -> None:
    assert halves(RECTANGLE, (5, 5), (5, 5)) is None
    assert halves(RECTANGLE, (100, 5), (110, 5)) is None
