from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image

from napari_cytosynth._gui.bridge import UNITS, Bridge
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.geometry import Box

places = st.floats(-1e5, 1e5, allow_nan=False)
sizes = st.floats(0, 1e4, allow_nan=False)
scales = st.floats(0.02, 20, allow_nan=False)


@given(scales, st.lists(st.tuples(places, places), min_size=1, max_size=5))
def test_points_come_back(mpp: float, points: list[tuple[float, float]]) -> None:
    bridge = Bridge(mpp)
    back = bridge.to_pixels(bridge.to_world(points))
    np.testing.assert_allclose(back, points, atol=1e-6)


@given(scales, places, places, sizes, sizes)
def test_boxes_come_back(
    mpp: float, x: float, y: float, width: float, height: float
) -> None:
    bridge, box = Bridge(mpp), Box(x, y, width, height)
    back = bridge.box(bridge.rectangle(box))
    got = (back.x, back.y, back.width, back.height)
    np.testing.assert_allclose(got, (x, y, width, height), atol=1e-6)


@settings(deadline=None)  # the first layer loads napari's shaders
@given(scales)
def test_pixel_centres_are_napari_s(mpp: float) -> None:
    """The middle of the first pixel is napari's data coordinate (0, 0)."""
    bridge = Bridge(mpp)
    layer = Image(np.zeros((4, 6), np.uint8), scale=bridge.scale, units=UNITS)
    world = bridge.to_world([(2.5, 1.5)])[0]
    np.testing.assert_allclose(layer.world_to_data(world), (1, 2), atol=1e-9)


def test_y_comes_before_x_in_the_world() -> None:
    assert Bridge(2.0).to_world([(10.5, 20.5)]).tolist() == [[40.0, 20.0]]


@given(scales, places, places, st.floats(1, 500), st.floats(1, 500))
def test_a_view_covers_its_span(
    mpp: float, x: float, y: float, width: float, height: float
) -> None:
    bridge = Bridge(mpp)
    centre = tuple(bridge.to_world([(x, y)])[0])
    view = bridge.view_box(centre, (height * mpp, width * mpp))
    np.testing.assert_allclose(
        (view.centre[0], view.centre[1], view.width, view.height),
        (x, y, width, height),
        atol=1e-5,
    )


@pytest.mark.parametrize("mpp", [0.0, -1.0, float("nan"), float("inf")])
def test_a_senseless_scale_is_refused(mpp: float) -> None:
    with pytest.raises(InputError, match="must be positive"):
        Bridge(mpp)
