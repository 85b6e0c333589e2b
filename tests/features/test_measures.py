import math

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.features.measures import (
    Measures,
    areas_of,
    measure,
    outline_area,
)


def _cell(nuclei: list[tuple[float, float, float]], radius: float = 28) -> np.ndarray:
    """Paint a pale disc in the middle with dark discs (y, x, radius) in it."""
    y, x = np.mgrid[:96, :96] + 0.5
    crop = np.full((96, 96, 3), (235, 225, 230), np.uint8)
    crop[np.hypot(y - 48, x - 48) <= radius] = (180, 165, 205)
    for cy, cx, r in nuclei:
        crop[np.hypot(y - cy, x - cx) <= r] = (85, 35, 130)
    return crop


def _disc_um2(pixels: float) -> float:
    return math.pi * (pixels / 4) ** 2


def test_a_disc_in_a_disc_is_measured():
    crops = _cell([(48, 48, 14)])[None]
    (found,) = measure(crops, np.array([_disc_um2(28)]))
    assert found.nc_ratio == pytest.approx(0.25, abs=0.05)
    assert found.cell_um == pytest.approx(14, rel=0.06)
    assert found.nucleus_um == pytest.approx(7, rel=0.06)
    assert found.parts == 1
    assert "parts" not in found.sentence()


def test_parts_of_a_nucleus_are_counted():
    crops = _cell([(36, 48, 8), (58, 38, 8), (58, 60, 8)])[None]
    (found,) = measure(crops, np.array([_disc_um2(28)]))
    assert found.parts == 3
    assert found.sentence().endswith("in 3 parts")


@pytest.mark.parametrize("area", [math.nan, _disc_um2(14), _disc_um2(45)])
def test_without_an_outline_that_agrees_nothing_is_told(area):
    (found,) = measure(_cell([(48, 48, 14)])[None], np.array([area]))
    assert found == Measures()
    assert found.sentence() == ""


def test_area_within_an_outline():
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1) * 8 + 100
    assert outline_area(circle) == pytest.approx(math.pi * 64, rel=1e-3)
    box = np.array([(0, 0), (4, 0), (4, 4), (0, 4)], np.float32)
    assert math.isnan(outline_area(box))
    np.testing.assert_allclose(
        areas_of([circle, box], [0.5, 0.5]), [math.pi * 16, np.nan], rtol=1e-3
    )


def test_no_cells_and_other_pictures():
    assert measure(np.zeros((0, 96, 96, 3), np.uint8), np.zeros(0)) == ()
    with pytest.raises(InputError, match="cannot be embedded"):
        measure(np.zeros((1, 64, 64, 3), np.uint8), np.zeros(1))
