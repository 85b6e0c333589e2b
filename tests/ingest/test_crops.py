from __future__ import annotations

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.smear import Smear
from napari_cytosynth.ingest import cut_crops, is_wide
from napari_cytosynth.ingest.image import LevelPlan, PyramidImage, array_level


def image_of(pixels: np.ndarray) -> PyramidImage:
    smear = Smear("memory", pixels.shape[1], pixels.shape[0], None, "memory", "0")
    return PyramidImage(smear, [LevelPlan(array_level(pixels), 1.0)])


def disc(mpp: float, side_um: float = 60.0, radius_um: float = 5.0) -> np.ndarray:
    side = round(side_um / mpp)
    y, x = np.mgrid[:side, :side] + 0.5
    inside = np.hypot(y - side / 2, x - side / 2) * mpp < radius_um
    return np.where(inside[..., None], np.uint8(40), np.uint8(230)).repeat(3, axis=-1)


@pytest.mark.parametrize("mpp", [0.05, 0.1, 0.25, 0.4, 0.7])
def test_same_size_whatever_the_scanner(mpp: float) -> None:
    pixels = disc(mpp)
    side = pixels.shape[0]
    box = [[side / 2 - 3, side / 2 - 3, 6, 6]]
    crop = cut_crops(image_of(pixels), box, mpp)
    assert crop.shape == (1, 96, 96, 3)
    assert crop.dtype == np.uint8
    dark = crop[0, ..., 0] < 135
    assert np.sqrt(4 * dark.sum() / np.pi) * 0.25 == pytest.approx(10, rel=0.05)
    rows, columns = np.nonzero(dark)
    assert rows.mean() == pytest.approx(47.5, abs=0.6)
    assert columns.mean() == pytest.approx(47.5, abs=0.6)


@pytest.mark.parametrize("mpp", [0.05, 0.1, 0.25, 0.4, 0.7])
@pytest.mark.parametrize("shift", [0.0, 0.3, 0.5])
def test_a_crop_is_centred_to_a_fiftieth_of_a_pixel(mpp: float, shift: float) -> None:
    """At a pyramid's level too: half a pixel off would pass as round everywhere."""
    pixels = disc(mpp)
    middle = pixels.shape[0] / 2
    box = [[middle - 3 + shift, middle - 3, 6, 6]]
    dark = 230 - cut_crops(image_of(pixels), box, mpp)[0, ..., 0].astype(float)
    y, x = np.mgrid[:96, :96] + 0.5
    centre = (dark * x).sum() / dark.sum(), (dark * y).sum() / dark.sum()
    assert centre == pytest.approx((48 - shift * mpp / 0.25, 48), abs=0.02)


def test_fine_pattern_turns_gray_not_moire() -> None:
    y, x = np.mgrid[:960, :960]
    pixels = (((x + y) % 2) * 255).astype(np.uint8)[..., None].repeat(3, axis=-1)
    crop = cut_crops(image_of(pixels), [[470, 470, 20, 20]], 0.05)[0]
    assert np.abs(crop.astype(int) - 127).max() < 12


def test_white_beyond_the_border() -> None:
    pixels = np.zeros((200, 200, 3), np.uint8)
    crop = cut_crops(image_of(pixels), [[-10, -10, 20, 20]], 0.25)[0]
    assert (crop[:46, :46] == 255).all()
    assert (crop[50:, 50:] == 0).all()


def test_no_boxes() -> None:
    crops = cut_crops(image_of(disc(0.25)), np.zeros((0, 4), np.float32), 0.25)
    assert crops.shape == (0, 96, 96, 3)


def test_wide_cells_get_a_wider_crop() -> None:
    assert is_wide([[0, 0, 81, 10], [0, 0, 79, 79]], 0.25).tolist() == [True, False]
    pixels = disc(0.25, radius_um=12)
    crop = cut_crops(image_of(pixels), [[119, 119, 2, 2]], 0.25, um=48.0)[0]
    dark = (crop[..., 0] < 135).sum()
    assert np.sqrt(4 * dark / np.pi) * 0.5 == pytest.approx(24, rel=0.05)


def test_impossible_scale() -> None:
    with pytest.raises(InputError, match="micrometres"):
        cut_crops(image_of(disc(0.25)), [[0, 0, 9, 9]], 0.0)
